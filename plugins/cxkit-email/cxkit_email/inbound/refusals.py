"""What mail servers write where they refuse a message, or give up on it: of what we are, not of whom it is to."""

from __future__ import annotations

from typing import Final

from cxkit_email.inbound.phrases import any_of

__all__ = [
    "AUTH",
    "BLOCKED",
    "EXPIRED",
    "GROUP",
    "HOPS",
    "NAMED_POLICY",
    "POLICY",
    "RATE",
    "RATE_OF_OURS",
    "RELAY",
    "REPUTATION",
    "RETRIED",
    "SENDER",
    "SPAM",
    "STAGE",
    "VIRUS",
]

VIRUS: Final = any_of(r"""
\bvirus(?!\w*\.(?:com|org|net))...(?:found|detected|infect|in your|in the|was)
(?:infected|infiziert|contains?|containing|containe?d)...\b(?:virus|malware|worm|trojan)
(?:detected|found)...\b(?:virus|malware|trojan)
\bmalware (?:detected|found)
message (?:was )?(?:rejected|blocked)...\bvirus
attachment...(?:illegal|not allowed|blocked|forbidden|dangerous)
\bvirus (?:warning|alert)
""")
RELAY: Final = any_of(r"""
relay(?:ing)?(?: access| mail| attempt)?(?: is| was)? ?(?:denied|prohibited|not permitted|not allowed|rejected
forbidden|disallowed)
(?:unable|not permitted|not allowed|refused?|not authori[sz]ed|denied|not configured|cannot|won't|don't|do not
not able)...to relay
\b(?:we|i) do(?:n't| not) relay
insecure mail relay
not (?:a )?gateway
mail server requires authentication when attempting to send
relay not permitted
domain isn't in my list of allowed rcpthosts
domain is not (?:in|one of)...(?:rcpthosts|local domains|hosted)
this system is not configured to relay
(?:this server|it) (?:is not|isn't)...(?:accept mail for|responsible for)
nicht erlaubt zu relayen
no (?:open )?relay(?:ing)?\b
""")
AUTH: Final = any_of(r"""
bad spf|spf record
\b(?:spf|dkim|dmarc)\b...(?:fail|reject|violat|not pass|invalid|not authori[sz]ed|denied|policy|check|unauth
alignment
error|required|softfail|mismatch|forgery)
(?:fail|reject|violat|denied|not pass|did not|didn't|unauthenticated|lack|missing|no valid|against|invalid
based on)...\b(?:spf|dkim|dmarc|domain-?keys)
unauthenticated (?:email|mail|message|sender)
sender (?:id|address) (?:verification|authentication) (?:failed|failure)
(?:not|isn't) (?:an )?authori[sz]ed (?:to send|sender)...(?:domain|from|behalf)
sender policy framework
openspf\.(?:org|net)
email (?:is|was) unauthenticated
authentication(?:[ -]\w+)? (?:check|checks|fail\w*|required|credentials)
not authenticated
""")
RATE_OF_OURS: Final = any_of(r"""
(?:daily|hourly|relay|sending|outgoing|outbound) (?:\w+ )?(?:quota|limit)
too many recipients
""")
RATE: Final = any_of(r"""
(?:too many|too much|exceed\w*|over|limit\w*|maximum|excessive)...(?:connections?|sessions?|concurrent|simultaneous
messages (?:per|sent|from|in)|recipients (?:per|this|received|in the last)|mails? (?:per|from|sent)|hourly|daily
per (?:hour|day|minute|second)|rate ?limit|concurrency|sending (?:limit|quota|rate)|(?:e-?)?mails? (?:too|in) )
(?:rate|frequency|throttl\w*|speed|concurrency|connection)[- ]?(?:limit|control|exceed|of mail)\w*
throttl(?:ed|ing)
(?:receiving|sending|sent|getting)(?: e?-?mails?)?(?: at)? ?(?:a )?(?:rate|too (?:quickly|fast|rapidly|much|many))
at a rate that
slow down
(?:try|come|connect)...(?:less|fewer) (?:often|frequently|connections)
unusual(?:ly high)? rate
(?:mail|message) (?:rate|volume|flood)
(?:user|account|domain|sender|ip)...(?:exceeded|exceeds) (?:its|the|his|their|your)...(?:sending|hourly|daily
limit on
messages)
reached (?:its |the |your )?(?:sending|hourly|daily)
user sends? (?:too )?many
unexpected volume|high volume
4\.3\.2 (?:message|connection) (?:rate|count)
ratelimit
you have sent too
""")
REPUTATION: Final = any_of(r"""
(?:block|black|deny|exploit)[- ]?lis(?:t|ts|ted|ting)\b
\b(?:rbl|dnsbl|uribl|surbl|sbl|xbl|pbl|dnsrbl|zen|sorbs|spamcop|spamhaus|spamrl|senderscore|senderbase
barracudacentral|mailspike|uceprotect|trendmicro|abuseat|njabl|ordb|invaluement|cloudmark|ip reputation
reputation)\b
(?:bad|poor|low|negative|dubious|suspicious|very low)...(?:reputation|score)
(?:reverse|rdns|\bptr\b)...(?:dns|record|lookup|resolution|name|host|fail|required|not|missing|exist|ip|address)
(?:no|missing|invalid|lacks?|without|cannot find|can't find|does not have|doesn't have|could not|must have|requires?
have|unable to (?:resolve|find))...\b(?:ptr\b|reverse|rdns|(?:host)?name for your)
(?:fix|check|set up)...reverse dns
cannot find your (?:reverse )?(?:host ?name|dns)
client host rejected: cannot find
mismatch(?:es)? client ip
cannot resolve your address
dynamic (?:ip|address|dns|host|pool)
(?:generic|residential|dial-?up) (?:ip|host|ptr|address|rdns)
helo...(?:generic|dynamic|dial)
listed (?:in|by|on|at) (?:the )?\S{1,40}\.(?:org|net|com)
""")
SPAM: Final = any_of(r"""
(?:classified|identified|detected|considered|regarded|rejected|marked|blocked|looks?|look|categori[sz]ed|scored
recogni[sz]ed|denied|flagged|appears?|suspected|refused|reported|probabl[ey]|being)...(?:like|as|to be|for
of)? ?(?:\bspam
\bjunk|unsolicited|\buce\b|\bube\b|\bbulk\b|phish)
(?:\bspam|unsolicited|\bjunk ?mail)(?:my|like|-?type)?...(?:detect|reject|content|message|score|filter|refus|block
suspect|not accepted|denied|found|level|policy|threshold|mail|identified|not welcome|classified|engine|probabil
check)
(?:this|your|the) (?:message|mail|e-?mail)...(?:is|looks like|contains?|scored?|seems?)...\b(?:spam|unsolicited)
rejected (?:due to|by|because of|for)...(?:content|spam|filter)
content (?:filter|rejected|check|restriction|is not accept|denied|policy)|message (?:filter|content)
appears? to be unsolicited
high probability of spam
spamassassin|spam score
(?:blocked|rejected|refused) (?:by|due to|because of) (?:the )?(?:\w+ )?(?:content|spam|anti-?spam|bayes)
\bspam\b
spamming
\bphishing\b
suspicious (?:due|content|url|link)
(?:url|link)...(?:in (?:this|the|your) (?:message|mail))
""")
GROUP: Final = any_of(r"""
permission to post
groups\.google\.com
""")
"""A group that is not there, or not for us."""
NAMED_POLICY: Final = any_of(r"""
(?:local|security|administrative|recipient|organi[sz]ation'?s?|our|site) (?:security )?polic(?:y|ies)
""")
BLOCKED: Final = any_of(r"""
(?:ip|host|server|client|domain|address|network|connection|sender|access|you
mail)s?(?: address)?(?: from)?(?: \S{1,80}){0,3} ?(?:has been|have been|is|are|was|were|temporarily|permanently|been
being)? ?(?:currently |temporarily |permanently |administratively )?(?:blocked|banned|denied|refused by|rejected
blacklisted|block|prohibited|not allowed|not permitted)
(?:blocked|banned|denied|refused|rejected|rejecting|blocking|refusing)...(?:ip\b|by (?:our|the) |\bhost|server
network
connection|from your|access|client|your (?:mail|domain|isp|address))
(?:access|connection|permission|service|session|command|message|mail|delivery)...(?:denied|refused|rejected
forbidden
not allowed|not permitted|not available)
not (?:accept|allow|permit)\w*...(?:from|mail from|connections?|messages from|your)
(?:refuse|reject|block)s?...(?:your|mail from|connection|messages)
bad (?:helo|ehlo|host|sender)
(?:helo|ehlo)...(?:reject|invalid|denied|error|not|mismatch|require|must)
sender (?:address )?(?:rejected|denied|refused|verify failed|is not|not|unknown|invalid|domain)
you are not (?:allowed|authorized|permitted)
not authori[sz]ed
graylist|greylist|grey-list
(?:closed|dropped|drop)...(?:policy|connection by)
abusive|abuse
administrative(?:ly)? (?:prohibit|denied|reject|block)\w*
""")
POLICY: Final = any_of(r"""
polic(?:y|ies)
recipient preferences
(?:local|security|administrative|recipient) (?:restriction|reasons?|prohibition|violation)
not (?:compliant|rfc|conform)|rfc ?-?(?:2?822|5322|2?821|5321)
(?:missing|multiple|invalid|malformed|bad|duplicate)...(?:header|from:|message-id|subject|mime)
5\.7\.\d{1,3}
starttls|\btls\b|encryption
content...(?:not allowed|rejected|refused|error|denied)
delivery not authori[sz]ed
rejected
""")
RETRIED: Final = any_of(r"""
not found, try again
lookup failed temporarily
""")
EXPIRED: Final = any_of(r"""
(?:time|delivery|retry|connect\w*|session|operation|conversation|message|queue|transaction|lifetime|command
transfer)(?: \w+){0,3} (?:expired|timed[- ]?out|timeout|time-?out|exceeded|has expired|out of time)
(?:timed|time) ?-?out
all hosts have been failing|name server reply|name service error|(?:did not|didn't) accept our requests? to connect
failed \d{1,3} attempts|after \d[\d.]{0,5} (?:days?|hours?|minutes?|tries|attempts)
service refus|for the last \d{1,9} (?:seconds|minutes|hours|days)|(?:could not|cannot) find a gateway
veuillez essayer plus tard
(?:expired|giving up (?:after|retry)|gave up|too long|too old|max(?:imum)? (?:time|queue|retry|hop)|given up
undeliverable for|could not be delivered for|not be delivered within)
(?:connection|network|connect|connecting|host|server|route|mail ?server|no route)...(?:refused|reset|lost|timed
unreachable|dropped|closed|failed|not responding|no answer|down|broken|unavailable|not available|to host
not respond)
(?:not|un)(?: currently)? ?(?:reachable|able to (?:connect|contact|reach)|responding)
(?:could not|couldn't|cannot|can't|unable to|failed to|wasn't able to|been unable to) (?:be )?(?:connect|contact
reach
establish|communicate|deliver it (?:in|within|for)|complete)
message (?:has been|was) (?:in|on) (?:the )?queue (?:for )?too long
(?:mail|message|delivery)...(?:delayed|will be retried|not yet been delivered|is still being)
system (?:not accepting|is too busy|load|resources)
(?:temporar\w+|try again|later|4\d\d 4\.\d)
host unreachable|unreachable host|network is unreachable|no route to host
bad connection|operation (?:not permitted|timed out)
retry (?:time|timeout)
(?:zeitüberschreitung|délai|expiré|tiempo (?:de espera )?agotado|tempo scaduto|tempo esgotado)
""")
HOPS: Final = any_of(r"""
too many hops|hop count|loop(?:s|ing)?\b...(?:detect|back|mail)|mail loop|loops? back|delivered-to.{0,20}loop
routing loop|(?:email|mail) loop|loop detected|maximum hop
(?:local )?(?:configuration|config) (?:error|problem)|system config error|aliasing|include file|:include:
mail for \S{1,80} loops
unknown mailer error|mailer error|service unavailable|internal (?:server )?error|can't create output|cannot open
command (?:died|failed)|broken pipe|i/o error|software (?:caused|error)|local error|system (?:error|failure)
exit(?:ed)? (?:status|code)|critical error|x-unix|died with
""")
STAGE: Final = any_of(r"""
(?:after|in reply to|reply to|response to|on|during|command:?) (?:the )?(?:end of )?(?:pipelined )?(?:mail from|helo
ehlo|data\b|bdat|end of message)
(?:after|in reply to) initial connection
my name was rejected
smtp command data
""")
"""When the recipient was not what was answered to: before it was named, or after it had been accepted."""
SENDER: Final = any_of(r"""
(?:sender|mail ?from|envelope from|return[- ]path|from address|from domain)(?:'s)? ?(?:domain|address|host
email)?(?: \S{1,100})? ?(?:is |was |does |could |has |must |)?(?:not (?:be )?(?:exist|found|resolve|verified|valid
accept)|unknown|invalid|n't (?:exist|resolve)|reject|refused|denied|unresolvable|verify failed|resolv)
(?:domain|host) of (?:the )?sender
(?:your|sending|originating|client) (?:domain|host|server|ip)
recipient preferences
invalid ip
""")
"""What is about us: no such reply says that there is no such recipient."""
