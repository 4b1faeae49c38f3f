"""What mail servers write, by what they mean by it: the first that fits decides, so what is surer comes first.

The words are those of the servers themselves, in the languages they are set to; which of them belong together is ours.
All are looked for in one line of at most 4,096 characters.
"""

from __future__ import annotations

import re
from typing import Final

from cxkit.model.message import BounceReason
from cxkit_email.inbound import refusals
from cxkit_email.inbound.phrases import any_of

__all__ = ["ASKED_OF_RECIPIENT", "UNSURE", "WORDINGS"]

FULL: Final = any_of(r"""
(?:mail ?box|mailfolder|inbox|maildir|user|account|recipient|quota|mailspool|storage|mail ?store|mail drop|postfach
boîte|buz[oó]n|casella|caixa|skrzynka|postvak|disk)...(?<!how)(?<!not )\b(?:full|voll|überfüllt|pleine|saturée|lleno
llena|piena|plena|cheia|pełna|przepełnion\w+|vol\b)(?! (?:address|name|header|report|list|detail|of (?:the|your)))
(?:over|exceed\w*|out of|above|beyond|excess|insufficient|reached)...(?:\bquota|storage|mailbox (?:size|limit)
disk space|mail ?box space|space allocated|allotted space|available space|maximum (?:mailbox|storage))
\bquota...(?:exceed|reach|full|over|used up|violat|overschreden|überschritten|dépassé|superad|superat|excedid|error
would be)
\bover-?quota
full (?:mail ?box|inbox)\b
mailbox...(?:size limit|exceeds?|exceeded|over (?:its|the) |limit exceeded|too large|has grown|maximum size
out of space|no space|limit reached)
too many (?:messages|mails|emails)(?: \w+){0,3} in (?:the |this |his |their )?(?:mail ?box|inbox|account)
(?:not|no) enough (?:storage|disk|mailbox|free|available)? ?(?:space|room)
insufficient (?:disk|storage|mailbox|system)? ?(?:space|storage)
(?:has|have|user|is) (?:exceeded|over|reached)...(?:space|storage|quota|mailbox|limit of messages)
not (?:have )?enough (?:free |disk |storage )?(?:space|room)
there is no (?:space|room)
account is full
receiving user's account is (?:over|full)
boite? (?:aux lettres|de réception|mail)...(?:pleine|plein|satur)
dépass...(?:quota|capacité)
espacio...(?:insuficiente|agotado)
spazio...(?:esaurito|insufficiente)
メールボックス...(?:いっぱい|一杯|容量|満杯|超)
(?:容量|サイズ)...(?:オーバー|超過|超えて)
почтовый ящик...(?:переполнен|заполнен)
(?:ящик|квота)...(?:переполнен|заполнен|превышен)
(?:邮箱|郵箱|用户|收件人)...(?:已满|空间不足|空間不足|超出|配额)
mail quota
maximum (?:allowed )?(?:storage|mailbox|inbox)
is at its (?:maximum|limit)
disk (?:usage|quota|full|limit|space)
too much mail data
user is overdrawn
out ?of ?storage
mbox too big
insufficient permanent storage
storage (?:limit|quota)
\bover (?:its |the |their )?(?:disk |mail |mailbox |storage )?quota
overquota
""")
LARGE: Final = any_of(r"""
(?:message|mail|email|e-mail|attachment|header|data)(?: file)? ?(?:is|was|are|length|sizes?
which is)? ?(?:too (?:large
big|long)|(?:exceeds?|exceeded|larger than|bigger than|over) (?:the |a |its |our |this )?(?:\w+ ){0,4}(?:size
maximum
limit|max|allowed|permitted|\d))
(?:exceed\w*|over|larger than|bigger than|beyond)...(?:message size|maximum size|size limit|maximum message
fixed (?:maximum|max)|max(?:imum)? (?:mail|e-?mail)|length limit|limit for (?:the )?message)
message (?:size|length)...(?:exceed|limit|too)
size (?:limit )?(?:of (?:the|this) (?:message|mail) )?(?:exceed|exceeds|exceeded|is too|too)
message too (?:big|large|long)
too (?:large|big) (?:message|mail|for)
maximum (?:message )?size (?:of|exceed|for|is)
nachricht...(?:zu gro(?:ss|ß)|überschreitet)
message trop (?:gros|volumineux|long)
mensaje demasiado grande
messaggio troppo grande
mensagem muito grande
bericht is te groot
письмо слишком больш
max message size
""")
DISABLED: Final = any_of(r"""
(?:account|user|mailbox|mail ?box|recipient|address|e?-?mail|customer|login|domain|alias|subscriber|usuario|konto
compte|cuenta|postfach)(?:'s)?(?: \S{1,60})? ?(?:has been|is|was|are|been|temporarily|currently|is currently|has|ist
est|está|wurde|à)? ?(?:currently|temporarily|permanently|administratively)? ?(?:disabled|suspended|inactive
deactivated|locked|frozen|blocked due to inactivity|expired|dormant|not active|discontinued|closed due|on hold
not activated|unpaid|overdue|cancell?ed for|restricted|inactif|suspendu|désactivé|deaktiviert|gesperrt|inactivo
suspendid|deshabilitad|bloccat|sospes|disabilitat|desativad|geblokkeerd|zablokowan|not available at this time)
(?:disabled|suspended|inactive|deactivated|locked|dormant|frozen|deactivation|suspension)(?: \w+){0,2} (?:account
user
mailbox|mail ?box|recipient|address|customer|e-?mail)
(?:account|mailbox|domain)...(?:has been|is|was) (?:temporarily |administratively )?(?:disabled|suspended|inactive
deactivated|locked)
not active (?:user|account|mailbox)
(?:account|compte|konto|cuenta)(?: \w+){0,3} (?:is|est|ist|wurde|está) (?:bl[oö]qu?[eé]|blocked|gesperrt)
user (?:is )?not activ
user is not active
mailbox (?:is )?(?:disabled|locked|inactive|frozen|suspended)
mailbox currently (?:suspended|disabled|unavailable)
(?:user|account|recipient|customer|domain) (?:is )?(?:suspended|deactivated|disabled)
not been paid|non[- ]?payment
usuário inativo|conta inativa|cuenta inactiva
account...(?:hasn't|has not|not) (?:been )?(?:logged|accessed|used|activated)
is not accepting (?:any )?(?:mail|messages|email)
(?:not|no longer) (?:accepting|receiv\w+) (?:mail|messages|email) (?:at this|from|right now|temporarily)
(?<!delivery )temporar(?:ily|y) (?:inactive|disabled|suspended|locked)
vacation|out of (?:the )?office
account (?:of the recipient )?is (?:being )?(?:locked|inactive)
заблокирован|неактив|отключен
message filtered
used by nobody for
accountstatus|account status
address (?:is )?(?:administratively )?disabled
account that you tried to reach is (?:disabled|inactive|over)
recipient...(?:not permitted|not allowed|not able|unable|cannot|can't|disabled) to (?:receive|accept|get) (?:mail
e-?mail|messages|external)
""")
MOVED: Final = any_of(r"""
(?:has|have|user|account|recipient|he|she|address) (?:has )?moved (?:to|from|away|please)
(?:mailbox|user|account|recipient|address)...(?:has|have|been|was|is|permanently) (?:moved|relocated|migrated)
(?:e-?mail )?address (?:has |was |has been )?(?:changed|replaced|renamed)
new (?:e-?mail )?address (?:is|for)
user not local; (?:please|will)
has (?:a )?changed (?:his|her|their|its|the) (?:e-?mail )?address
been replaced by
neue (?:e-?mail-?)?adresse
nouvelle adresse
nueva direcci[oó]n
""")
HOST_FOR_SURE: Final = any_of(r"""
mail exchanger or ip address
(?:mx|srv) record indicated no smtp service
host or domain name not found
null ?mx
\bnxdomain\b
""")
HOST: Final = any_of(r"""
(?:host|domain|server|mx|name|dns|hostname)(?: name| record| address)?(?: \S{1,80})? ?(?:is|was|could|can|has|have
does|did)? ?(?:unknown
not (?:be )?found|not exist|non-?exist\w*|not resolve\w*|nicht gefunden|introuvable|no encontrad\w+|not be resolved
no a record)
(?:unknown|no such|invalid|non-?existent|bad|unresolvable|unrouteable|unroutable|illegal|nonexistent|can(?:no
')t (?:find|resolve)|could(?:n't| not) (?:be )?(?:find|found|resolve)|unable to (?:find|resolve
look ?up))...\b(?:domain|host\b|hostname|host name|mail ?server|mail exchanger|mx(?: host| record)?s?\b)(?! (?:quota
full|rejected|policy))
name or service not known
name service error ... (?:host|name|domain) not found(?!, try again)
(?:couldn't|could not|cannot|can't|unable to) (?:find|locate|resolve|look ?up)...(?:any host|host named|domain
ip address|address for|mx|mail (?:server|exchanger))
(?:domain|host|recipient|it|which) (?:does not|doesn't|do not) (?:accept|receive)(?: any| e?-?)? ?(?:mail|messages
email)
null ?mx
\bnxdomain\b
(?:has no|no valid|no usable|no) (?:mx|mail exchang\w+|a record|dns)
does(?:n't| not) (?:exist|have)...(?:in dns|mx|domain|a record)
domain (?:name )?(?:is )?(?:not found|does not exist|doesn't exist|invalid|missing|unknown|must exist)
no (?:route|path) to (?:domain|destination address)
all relevant mx records point to non-existent hosts
(?:domäne|domain)...(?:nicht gefunden|existiert nicht|unbekannt)
(?:domaine|serveur)...(?:inconnu|introuvable|n'existe pas)
(?:dominio)...(?:no existe|sconosciuto|inesistente|non esiste|não existe|desconocido)
wrong domain name
домен...не (?:существует|найден)
ドメイン...(?:見つかりません|存在しません)
dns (?:error|lookup (?:error|failure|failed))...(?:nxdomain|not found|does not exist|no such)
unrouteable (?:mail )?domain
""")
USER: Final = any_of(r"""
5\.4\.1 .{0,120}recipient address rejected: access denied
(?:user|usr|mail ?box|mailbox|recipient|account|addressee|address|alias|mail-?drop|person|local ?part|e-?mail|inbox
usuario|destinatario|destinataire|benutzer|empfänger|subscriber|username|login|adresse|ziel|posta|cuenta|compte
conta
konto|utente|gebruiker|odbiorca|skrzynka|nutzer|customer|member
id)s?(?:'s)?(?: (?:name|address
account|list|mailbox|email address|lookup))?:? ?(?:[<(\[\"'`]?\S{1,100}[>)\]\"'`]?)? ?(?:\S{1,100} )?(?:is
was|are|does|do|did|has|could|can|you|est|n'est|ist|wurde|no|non|não|nie|been|been permanently|has been|which|that
hier)? ?(?:an? )?(?:unknown
undefined|not (?:be )?(?:found|known|listed|recogni[sz]ed|located|here|local|exist|a valid|valid|a known
our customer
registered|hosted|in (?:the |our )?(?:directory|database|table|system)|on this|our|have an? (?:account|mailbox
\w+\.\w+ account)|our member|resolved)|exists? not|no longer (?:exists?|valid|in use|available|active|on|at|here
employed|works?|with|an? )|non-?exist\w*|not-?exist\w*|invalid|n't (?:exist|have an?|a valid|found|known)|no (?:such
mailbox|longer)|deleted|removed|terminated|closed|discontinued|inconnue?|introuvable|n'existe pas|unbekannt
nicht (?:gefunden|bekannt|vorhanden)|existiert nicht|existe pas|no existe|desconocid[oa]|no encontrad[oa]
sconosciut[oa]|inesistente|non esiste|non trovat[oa]|não existe|inexistente|não encontrad[oa]|desconhecid[oa]
onbekend
niet gevonden|bestaat niet|nieznany|nie istnieje|does not exist|obsolete|not exist)
(?:no|not|unknown|invalid|bad|unrecogni[sz]ed|illegal|non-?existent|nonexistent|undefined|wrong|incorrect|inconnu
obsolete|inexistent|deleted|isn't an?|isn't our|not our|n'est pas|no hay|kein|keine|keinen|unroutable|unrouteable
never logged|unresolved|dead)[ -]?(?:(?:such|valid|known|longer|an?|any|matching|final|local|active|in|existing|the
e-?mail|intended|delivery) ){0,4}(?:user
usr|mail ?box|recipient|account|addressee|address|alias|person|local ?part|customer|mail ?drop|subscriber|username
forward path|destinataire|utilisateur|empfänger|postfach|benutzer|adressat|usuario|buz[oó]n|destinatario|member
user id|userid|mailbox here|inbox|to-?user)s?\b(?! (?:quota|full|suspended|disabled|agent))
user(?:name)?(?:id)?(?:[ :]{0,3}\(?\S{1,100}\)?)? (?:unknown|not found|does not exist|doesn't exist|not known
no exist\w*)
there is no (?:one|user|such|account|mailbox|person|recipient)...(?:here|by that|with that|at this|named|called
address|\bthat name|in )?
no (?:one|body) (?:here )?(?:by|with) that (?:name|address)
(?:does not|doesn't|do not|don't|didn't|did not) (?:have|recogni[sz]e|know|handle|find|match|host)...(?:account
mailbox|user|recipient|address|customer)
(?:could not|couldn't|cannot|can't|unable to|not able to|failed to) (?:be )?(?:find|found|locate|verify|resolve
recogni[sz]e|identify|validate|look ?up)...(?:user|recipient|mailbox|address|account|addressee)
sorry, no mailbox here
mailbox (?:does not|doesn't) exist
(?:user|recipient|address|addressee) (?:rejected: )?(?:not|isn't) (?:listed|in)...(?:directory|address book|domino
ldap|database|table)
not (?:listed|found) in (?:the )?(?:domino|public|address|recipient|directory|company|local|ldap|public name)
(?:account|address|mailbox|user|recipient)...(?:has been|was|is|been) (?:deleted|removed|terminated|closed|purged
discontinued|cancell?ed|canceled)
address (?:you (?:sent|entered|tried)[^.]{0,40} )?(?:does(?:n't| not)|couldn't|could not|wasn't|was not) (?:exist
be found|found)
wasn't found at
couldn't be found
(?:no longer|not) (?:on|at|with|works|working|employed|an? employee|in use|here|a user)...(?:server|company|firm
here
by|at|organi[sz]ation|us|this|any more|valid)
no longer (?:exists?|valid|in use|available|active|works?|employed|with)
requested action not taken: mailbox not found
no mailbox (?:here|by|found|matching|on|with|with that)
no such (?:user|recipient|mailbox|person|account|address|e-?mail|member|id|local)
user unknown|unknown user|unknownuser|unknown_user|userunknown|unknown recipient|recipient unknown|unknown address
address unknown|unknown local|unknown or illegal|unknown alias
delivery (?:to|for) (?:the following |this )?(?:user|recipient|address)...unknown
(?:bad|invalid) destination mailbox address
recipnotfound|nomailbox|badrcpt|recipientnotfound
ungültige (?:empfänger)?adresse|empfängeradresse...(?:ungültig|nicht)
пользовател...(?:не (?:найден|существует)|неизвест)
(?:нет такого|не существует|неизвестный|несуществующ)...(?:пользовател|ящик|адрес)?
(?:адрес|ящик|получател)...не (?:существует|найден)
宛先...(?:見つかりません|不明|存在しません|誤り)
(?:ユーザー?|メールアドレス|アドレス|受信者)...(?:見つかりません|不明|存在しません|いません|存在しない)
(?:用户|邮箱|收件人|地址)...(?:不存在|无效|找不到)
unrouteable address|unroutable address
address verification failed
recipient verify failed
not our customer
unknown_recipient|invalid_recipient
destination address...(?:unknown|invalid|does not)
x?\.500...(?:unknown|not found)
email account that you tried to reach does not exist
mailbox not found
""")
ASKED_OF_RECIPIENT: Final = any_of(r"""
rcpt
recipient address rejected
does not like recipient
address not found
wasn.t found
""")
"""When it was the recipient that was answered to."""
UNSURE: Final = any_of(r"""
mailbox (?:is )?(?:unavailable|not available)
(?:recipient|address|rcpt|user)(?: address)?(?: \S{1,100})? (?:was )?(?:rejected|refused|denied)(?!.{0,60}(?:denied
policy|grey|gray|temporar|block|spam|relay|spf))
(?:undeliverable|invalid) (?:address|recipient)
(?:account|mailbox) (?:is )?(?:unavailable|not available)
""")
"""What most say of a mailbox that is not there, and some of anything: it counts where no code is against it."""

WORDINGS: Final[tuple[tuple[BounceReason, re.Pattern[str]], ...]] = (
    ("policy", refusals.GROUP),
    ("content_virus", refusals.VIRUS),
    ("rate_limited", refusals.RATE_OF_OURS),
    ("mailbox_full", FULL),
    ("relay", refusals.RELAY),
    ("too_large", LARGE),
    ("disabled", DISABLED),
    ("moved", MOVED),
    ("deferred_expired", refusals.RETRIED),
    ("host_unknown", HOST_FOR_SURE),
    ("user_unknown", USER),
    ("auth_failure", refusals.AUTH),
    ("rate_limited", refusals.RATE),
    ("reputation", refusals.REPUTATION),
    ("content_spam", refusals.SPAM),
    ("host_unknown", HOST),
    ("other", refusals.HOPS),
    ("deferred_expired", refusals.EXPIRED),
    ("policy", refusals.NAMED_POLICY),
    ("blocked", refusals.BLOCKED),
    ("policy", refusals.POLICY),
)
