BEGIN TRANSACTION;
CREATE TABLE erased (
    hash BLOB PRIMARY KEY,
    at_ms BIGINT NOT NULL
);
CREATE TABLE identifiers (
    subject TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    person TEXT NOT NULL,
    evidence TEXT NOT NULL,
    linked_ms BIGINT NOT NULL,
    linked_by TEXT NOT NULL,
    rule TEXT NOT NULL,
    contested TEXT
);
INSERT INTO "identifiers" VALUES('user_id:nancy','user_id','user_id:nancy','login',1795262520000,'00000002','new_person',NULL);
INSERT INTO "identifiers" VALUES('visitor:a','visitor','user_id:nancy','cookie',1795262520000,'00000002','new_person',NULL);
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
INSERT INTO "interactions" VALUES('00000000',1795262400000,20261121,'/shop','experience.shown','exposure',NULL,'outbound',NULL,'analytics','online','visitor:a','user_id:nancy','s-a',NULL,NULL,NULL,NULL,'fr-FR','unknown','home.hero','bold',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000000","time":"2026-11-21T12:00:00.000000Z","source":"/shop","type":"io.cxkit.experience.shown","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"exposure","cxdirection":"outbound","data":{"purpose":"analytics","identity":{"identifiers":[{"type":"visitor","value":"a","evidence":"cookie"}]},"context":{"session":"s-a","locale":"fr-FR"},"decision":{"experience":"home.hero","variant":"bold","depth":2,"assignment":{"experiment":"bolder","variation":"bold"}},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000001',1795262460000,20261121,'/shop','experience.shown','exposure',NULL,'outbound',NULL,'analytics','online','visitor:b','visitor:b','s-b',NULL,NULL,NULL,NULL,'fr-FR','unknown','home.hero','all',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000001","time":"2026-11-21T12:01:00.000000Z","source":"/shop","type":"io.cxkit.experience.shown","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"exposure","cxdirection":"outbound","data":{"purpose":"analytics","identity":{"identifiers":[{"type":"visitor","value":"b","evidence":"cookie"}]},"context":{"session":"s-b","locale":"fr-FR"},"decision":{"experience":"home.hero","variant":"all","depth":2,"assignment":{"experiment":"bolder","variation":"all"}},"properties":{}}}');
INSERT INTO "interactions" VALUES('00000002',1795262520000,20261121,'/shop','order.paid','transaction',NULL,'inbound',NULL,'analytics','online','user_id:nancy','user_id:nancy',NULL,1795262520000,NULL,NULL,NULL,NULL,'unknown',NULL,NULL,NULL,NULL,2490,'EUR',NULL,NULL,NULL,NULL,NULL,1,'{"specversion":"1.0","id":"00000002","time":"2026-11-21T12:02:00.000000Z","source":"/shop","type":"io.cxkit.order.paid","datacontenttype":"application/json","dataschema":"urn:cxkit:interaction:1","cxkind":"transaction","cxdirection":"inbound","data":{"purpose":"analytics","identity":{"identifiers":[{"type":"user_id","value":"nancy","evidence":"login"},{"type":"visitor","value":"a","evidence":"cookie"}]},"value":{"amount":"24.90","currency":"EUR"},"properties":{}}}');
CREATE TABLE merges (
    id TEXT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    survivor TEXT NOT NULL,
    absorbed TEXT NOT NULL,
    rule TEXT NOT NULL,
    actor TEXT,
    reason TEXT,
    forced INTEGER NOT NULL,
    undone_by TEXT
);
CREATE TABLE parted (
    person TEXT NOT NULL,
    other TEXT NOT NULL,
    parted_by TEXT NOT NULL,
    PRIMARY KEY (person, other)
);
CREATE TABLE people (
    id TEXT PRIMARY KEY,
    born_ms BIGINT NOT NULL,
    part_of TEXT
);
INSERT INTO "people" VALUES('user_id:nancy',1795262520000,NULL);
CREATE TABLE together (
    subject TEXT NOT NULL,
    interaction TEXT NOT NULL,
    PRIMARY KEY (subject, interaction)
);
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
CREATE INDEX people_by_part_of ON people (part_of) WHERE part_of IS NOT NULL;
CREATE INDEX merges_by_survivor ON merges (survivor);
CREATE INDEX parted_by_other ON parted (other);
CREATE INDEX together_by_interaction ON together (interaction);
COMMIT;
PRAGMA application_id = 1668836454;
PRAGMA user_version = 2;
