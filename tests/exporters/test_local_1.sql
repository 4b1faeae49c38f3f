PRAGMA application_id = 1668836454;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE identifiers (
    subject TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    person TEXT NOT NULL
);
INSERT INTO "identifiers" VALUES('user_id:nancy','user_id','user_id:nancy');
INSERT INTO "identifiers" VALUES('visitor:a','visitor','user_id:nancy');
INSERT INTO "identifiers" VALUES('visitor:b','visitor','user_id:nancy');
INSERT INTO "identifiers" VALUES('user_id:bob','user_id','user_id:bob');
INSERT INTO "identifiers" VALUES('email:51fe','email','email:51fe');
INSERT INTO "identifiers" VALUES('visitor:c','visitor','email:51fe');
CREATE TABLE interactions (
    id TEXT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    local_day INTEGER NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT,
    direction TEXT NOT NULL,
    stage TEXT,
    purpose TEXT NOT NULL,
    presence TEXT NOT NULL,
    subject TEXT,
    person TEXT,
    session TEXT,
    session_began_ms BIGINT,
    route TEXT,
    device TEXT,
    country TEXT,
    locale TEXT,
    actor TEXT NOT NULL,
    experience TEXT,
    variant TEXT,
    outcome TEXT,
    duration_ms DOUBLE PRECISION,
    value_minor BIGINT,
    currency TEXT,
    question TEXT,
    score INTEGER,
    engaged_ms BIGINT,
    "case" TEXT,
    cause TEXT,
    analytics INTEGER NOT NULL,
    payload TEXT NOT NULL
);
INSERT INTO "interactions" VALUES('00000000',1795262400000,20261121,'/shop','page.viewed','action',NULL,'inbound',NULL,'analytics','online','visitor:a','user_id:nancy',NULL,1795262400000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000000","time":"2026-11-21T12:00:00.000000Z","source":"/shop","type":"io.cxkit.page.viewed","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"action","cxdirection":"inbound","data":{"purpose":"analytics","identity":{"identifiers":[{"type":"visitor","value":"a","evidence":"cookie"}]},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000001',1795262460000,20261121,'/shop','identity.identified','identity',NULL,'inbound',NULL,'necessary','online','user_id:nancy','user_id:nancy',NULL,1795262400000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000001","time":"2026-11-21T12:01:00.000000Z","source":"/shop","type":"io.cxkit.identity.identified","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"identity","cxdirection":"inbound","data":{"purpose":"necessary","identity":{"identifiers":[{"type":"user_id","value":"nancy","evidence":"login"},{"type":"visitor","value":"a","evidence":"cookie"}]},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000002',1795262520000,20261121,'/shop','page.viewed','action',NULL,'inbound',NULL,'analytics','online','visitor:a','user_id:nancy',NULL,1795262400000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000002","time":"2026-11-21T12:02:00.000000Z","source":"/shop","type":"io.cxkit.page.viewed","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"action","cxdirection":"inbound","data":{"purpose":"analytics","identity":{"identifiers":[{"type":"visitor","value":"a","evidence":"cookie"}]},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000003',1795266000000,20261121,'/shop','page.viewed','action',NULL,'inbound',NULL,'analytics','online','visitor:b','user_id:nancy',NULL,1795266000000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000003","time":"2026-11-21T13:00:00.000000Z","source":"/shop","type":"io.cxkit.page.viewed","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"action","cxdirection":"inbound","data":{"purpose":"analytics","identity":{"identifiers":[{"type":"visitor","value":"b","evidence":"cookie"}]},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000004',1795266060000,20261121,'/shop','identity.identified','identity',NULL,'inbound',NULL,'necessary','online','user_id:nancy','user_id:nancy',NULL,1795266000000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000004","time":"2026-11-21T13:01:00.000000Z","source":"/shop","type":"io.cxkit.identity.identified","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"identity","cxdirection":"inbound","data":{"purpose":"necessary","identity":{"identifiers":[{"type":"user_id","value":"nancy","evidence":"login"},{"type":"visitor","value":"b","evidence":"cookie"}]},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000005',1795269600000,20261121,'/shop','identity.identified','identity',NULL,'inbound',NULL,'necessary','online','user_id:bob','user_id:bob',NULL,1795269600000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000005","time":"2026-11-21T14:00:00.000000Z","source":"/shop","type":"io.cxkit.identity.identified","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"identity","cxdirection":"inbound","data":{"purpose":"necessary","identity":{"identifiers":[{"type":"user_id","value":"bob","evidence":"login"},{"type":"visitor","value":"a","evidence":"cookie"}]},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000006',1795269660000,20261121,'/shop','page.viewed','action',NULL,'inbound',NULL,'analytics','online','visitor:a','user_id:nancy',NULL,1795269660000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000006","time":"2026-11-21T14:01:00.000000Z","source":"/shop","type":"io.cxkit.page.viewed","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"action","cxdirection":"inbound","data":{"purpose":"analytics","identity":{"identifiers":[{"type":"visitor","value":"a","evidence":"cookie"}]},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000007',1795273200000,20261121,'/shop','identity.identified','identity',NULL,'inbound',NULL,'necessary','online','email:51fe','email:51fe',NULL,1795273200000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000007","time":"2026-11-21T15:00:00.000000Z","source":"/shop","type":"io.cxkit.identity.identified","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"identity","cxdirection":"inbound","data":{"purpose":"necessary","identity":{"identifiers":[{"type":"email","value":"51fe","evidence":"login"},{"type":"visitor","value":"c","evidence":"cookie"}]},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000008',1795276800000,20261121,'/shop','page.viewed','action',NULL,'inbound',NULL,'analytics','online','visitor:stranger','visitor:stranger',NULL,1795276800000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000008","time":"2026-11-21T16:00:00.000000Z","source":"/shop","type":"io.cxkit.page.viewed","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"action","cxdirection":"inbound","data":{"purpose":"analytics","identity":{"identifiers":[{"type":"visitor","value":"stranger","evidence":"cookie"}]},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000009',1795280400000,20261121,'/shop','page.viewed','action',NULL,'inbound',NULL,'analytics','online',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000009","time":"2026-11-21T17:00:00.000000Z","source":"/shop","type":"io.cxkit.page.viewed","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"action","cxdirection":"inbound","data":{"purpose":"analytics","properties":{}}}');
CREATE VIEW events AS
SELECT
    id AS event_id,
    at_ms AS ts_ms,
    local_day,
    person AS subject_id,
    CASE
        WHEN session IS NOT NULL THEN session
        WHEN session_began_ms IS NOT NULL THEN person || ' ' || source || ' ' || CAST(session_began_ms AS TEXT)
    END AS session_id,
    name,
    kind,
    channel,
    direction,
    stage,
    device AS device_class,
    country,
    route,
    experience AS variant_key,
    variant,
    value_minor,
    currency,
    question AS score_kind,
    score,
    engaged_ms,
    CASE WHEN actor IN ('bot', 'prefetch') THEN 1 ELSE 0 END AS is_bot,
    analytics AS consent_analytics,
    source
FROM interactions;
CREATE INDEX interactions_by_time ON interactions (at_ms, id);
CREATE INDEX interactions_by_person ON interactions (person, source, session, at_ms, id);
CREATE INDEX identifiers_by_person ON identifiers (person);
COMMIT;
