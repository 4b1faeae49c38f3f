"""What the server does, each a script in Lua that nothing comes between.

All of them count as writing, so a replica refuses them: nobody reads what a server that was put
down still holds. Six keys, all in the slot of ``{prefix}``:

==========  ==========  ===========================================================================
``meta``    hash        ``schema``, ``token`` (the last), ``mark`` (of this life of the server)
``doc``     hash        key to version, digests of its terms, body; each on a line; no body: deleted
``living``  sorted set  keys of what is not deleted, by their bytes, which is by code points
``term``    sorted set  digest of a term, colon, key
``change``  sorted set  keys of all documents by their token
``life``    sorted set  the last token of the life before, by the token that began the next
==========  ==========  ===========================================================================

A token is the microseconds since 1970, or one more than the last: whole numbers below 2^53, which
Lua and sorted sets keep exactly. Each start of a server and each replica that takes over has
another ``master_replid``: then a new life begins, a minute ahead of the clock. Tokens between the
last one that is known and the one that began it may have been given out for commits that are lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["KEYS", "SCHEMA", "SCRIPTS"]

SCHEMA: Final = "1"
KEYS: Final = ("meta", "doc", "living", "term", "change", "life")

_BEGIN: Final = """
local meta, doc, living, term, change, life = unpack(KEYS)
local function number(text) return tonumber(text or '0') end
local function text(number) return string.format('%.0f', number) end
local schema = redis.call('HGET', meta, 'schema')
if schema and schema ~= ARGV[1] then return redis.error_reply('CXSCHEMA ' .. schema) end
local function read(key)
    local row = redis.call('HGET', doc, key)
    if not row then return 0, '', '' end
    local version, terms, body = string.match(row, '^(%d+)\\n([^\\n]*)\\n(.*)$')
    return tonumber(version), terms, body
end
"""

_LIVE: Final = """
local function now()
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
end
local function live()
    local here = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or ''
    if redis.call('HGET', meta, 'mark') == here then return end
    local last = number(redis.call('HGET', meta, 'token'))
    local began = math.max(last, now()) + 60000000
    redis.call('ZADD', life, text(began), text(last))
    redis.call('ZREMRANGEBYRANK', life, 0, -1001)
    redis.call('HSET', meta, 'schema', ARGV[1], 'mark', here, 'token', text(began))
end
local function lost(known)
    if known == 0 then return false end
    local later = redis.call('ZRANGE', life, '(' .. text(known), '+inf', 'BYSCORE', 'LIMIT', 0, 1)
    return later[1] ~= nil and known > tonumber(later[1])
end
"""

_GET: Final = """
local found = {}
for place = 2, #ARGV do
    local version, _, body = read(ARGV[place])
    if body ~= '' then
        table.insert(found, ARGV[place]); table.insert(found, version); table.insert(found, body)
    end
end
return found
"""

_SCAN: Final = """
local found = {}
for _, key in ipairs(redis.call('ZRANGE', living, ARGV[2], ARGV[3], 'BYLEX', 'LIMIT', 0, ARGV[4])) do
    local version, _, body = read(key)
    table.insert(found, key); table.insert(found, version); table.insert(found, body)
end
return found
"""

_LOOKUP: Final = """
return redis.call('ZRANGE', term, '[' .. ARGV[2] .. ':', '(' .. ARGV[2] .. ';', 'BYLEX', 'LIMIT', 0, ARGV[3])
"""

_CHANGES: Final = """
live()
if lost(tonumber(ARGV[2])) then return false end
local found = {}
local later = redis.call('ZRANGE', change, '(' .. ARGV[3], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[4], 'WITHSCORES')
for place = 1, #later, 2 do
    local version, _, body = read(later[place])
    table.insert(found, text(tonumber(later[place + 1]))); table.insert(found, later[place])
    table.insert(found, version); table.insert(found, body == '' and 1 or 0)
end
return found
"""

_CHANGED: Final = """
live()
if lost(tonumber(ARGV[2])) then return 1 end
local last = redis.call('ZRANGE', change, -1, -1, 'WITHSCORES')
return last[2] and tonumber(last[2]) > tonumber(ARGV[3]) and 1 or 0
"""

_COMMIT: Final = """
local place = 1
local function argument() place = place + 1; return ARGV[place] end
local channel = argument()
local actual, same = {}, true
for _ = 1, tonumber(argument()) do
    local key, expected = argument(), tonumber(argument())
    local version, _, body = read(key)
    if body == '' then version = 0 end
    table.insert(actual, version)
    same = same and version == expected
end
if not same then return {0, actual} end
live()
local token = math.max(number(redis.call('HGET', meta, 'token')), now())
local versions = {}
for _ = 1, tonumber(argument()) do
    local key, body, terms = argument(), argument(), argument()
    local version, before = read(key)
    token = token + 1
    for digest in string.gmatch(before, '%S+') do redis.call('ZREM', term, digest .. ':' .. key) end
    for digest in string.gmatch(terms, '%S+') do redis.call('ZADD', term, 0, digest .. ':' .. key) end
    redis.call('HSET', doc, key, text(version + 1) .. '\\n' .. terms .. '\\n' .. body)
    redis.call('ZADD', change, text(token), key)
    if body == '' then redis.call('ZREM', living, key) else redis.call('ZADD', living, 0, key) end
    table.insert(versions, version + 1)
end
if #versions > 0 then
    redis.call('HSET', meta, 'token', text(token))
    redis.call('PUBLISH', channel, '')
end
return {1, versions}
"""

# A server that is full still tells and forgets what it has; it takes nothing more.
_FULL_TOO: Final = "#!lua flags=allow-oom\n"

SCRIPTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "get": _FULL_TOO + _BEGIN + _GET,
        "scan": _FULL_TOO + _BEGIN + _SCAN,
        "lookup": _FULL_TOO + _BEGIN + _LOOKUP,
        "changes": _FULL_TOO + _BEGIN + _LIVE + _CHANGES,
        "changed": _FULL_TOO + _BEGIN + _LIVE + _CHANGED,
        "commit": "#!lua\n" + _BEGIN + _LIVE + _COMMIT,
    }
)
"""Each is given the schema's version first, then what it needs."""
