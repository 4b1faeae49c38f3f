# ruff: noqa: RUF001 - words of many languages
"""How mail servers begin what they write of a message, in the languages they write in."""

from __future__ import annotations

from typing import Final

from cxkit_email.inbound.phrases import any_of

__all__ = ["BOUNCE_SENDER", "BOUNCE_SUBJECT", "BOUNCE_TEXT", "DELAY", "RETURNED"]


BOUNCE_SENDER: Final = any_of(r"""
mailer[-_.]?d(?:ae|ea|e)mon
\bpost[-_.]?master\b
mail ?delivery (?:sub)?system
\bmdaemon@
\bmail administrator
\bbounces?@
no-?reply@\S{0,60}(?:smtp|mx|mail)
(?:microsoft exchange|system administrator|delivery system|delivery subsystem|mail system)
internet mail (?:delivery|service)
\bmmdf\b|\bmailmaster@|\bdelivery@|\bmail-daemon|\bsmtpd?@
""")
BOUNCE_SUBJECT: Final = any_of(r"""
undeliver|non[- ]?deliver|not (?:be )?deliver|could(?:n't| not) be (?:sent|delivered)|couldn't be delivered
(?:mail|message|delivery|e-?mail|user|transmission)... ?(?:fail|error|problem|returned|status|unsuccessful|rejected
bounced?)
return(?:ed|ing) (?:mail|message|to sender|e-?mail)
fail(?:ure|ed) (?:notice|notification|mail|message|delivery|to deliver|report|to send)
delivery (?:status|report|failure|notification|has failed|attempt|unsuccessful|delayed|problem|warning)
(?:mail|message) (?:undeliverable|returned|bounced|delayed|not sent|system error|could not)
warning: (?:message|could not)|delayed (?:mail|message)|bounce|\bndn\b|\bndr\b|rejected|permanent error
unzustell|nicht zugestellt|zustellung|rückläufer|unbekannter empf
non remis|non distribu|échec|echec|non délivr|retour[ée]? |remise
no (?:se )?(?:pudo )?(?:entreg|enviad)|no entregad|devuelt|error en la entrega|entrega fallida
non recapit|mancat[ao] (?:consegna|recapito)|impossibile (?:recapitare|consegnare)|consegna
não (?:entregue|foi)|falha (?:na|de) entrega|devolvid|erro de entrega
niet (?:be)?zorg|onbestelbaar|niet afgeleverd|kan niet worden
ej levere|kunde inte (?:leverera|levereras)|kunne ikke lever|ikke levere|toimitta
nie (?:można|dostarcz|zostal)|niedostarcz|zwrot
недостав|не достав|не может быть достав|возврат
配信|送信(?:エラー|できません)|エラー(?:メール|通知)|未着|不達|届きませ
退信|无法投递|無法(?:傳遞|投遞)|系统退信|邮件被退回|전송 ?실패|반송
""")
BOUNCE_TEXT: Final = any_of(r"""
(?:could|can|was|were|is|are|has|have|been|be) ?(?:not|n't|n’t
un)(?: be| been| being)? ?(?:able to |successfully )?(?:deliver
sent|reach|relay|complet|process|accept|forward)
(?:unable|failed|not able|impossible) to (?:be )?(?:deliver|send|relay|reach|complete|process|transfer|accept
forward)
(?:delivery|message|mail|transmission|e-?mail)... ?(?:has )?(?:failed|failure|undeliver|rejected|not delivered
bounced
returned|unsuccessful|refused|error)
undeliver(?:able|ed)|non-?deliver
return(?:ed|ing) (?:your|the|this|to (?:the )?sender|mail|message|below|undeliver)
permanent (?:fatal )?(?:error|failure)|fatal errors?|transient non-fatal
did not reach|has been postponed|has not been delivered|wasn['’]t delivered|couldn['’]t (?:be )?deliver
can['’]t be deliver
this is the \S{1,40} (?:mail|program|at|delivery|e-?mail|sendmail|smtp)
i wasn['’]t able to deliver|i'm sorry to have to inform you|i'm afraid i
following (?:address|recipient|error|user|message|destination|person|mailbox|e-?mail)
(?:unknown|no such) (?:user|recipient|address|mailbox|host|domain)|user unknown|mailbox (?:is )?(?:full|unavailable)
(?:user|recipient|mailbox|address) not found
(?:5\d\d|4\d\d)[ -]#?[45]\.\d{1,3}\.\d
session transcript|transcript of session|reporting-mta|rcpt to:
error (?:message|occurred|while|in|from)... ?(?:deliver|send|mail|server|host|remote)
(?:konnte|kann|wurde)...nicht...(?:zugestellt|ausgeliefert|gesendet|erreicht|zustell)|unzustellbar
n'a (?:pas )?pu... ?(?:être )?(?:remis|distribu|délivr|envoy)|non remis|impossible de (?:remettre|distribuer
délivrer)
n'a pas été (?:remis|distribu|délivr)
no (?:se )?(?:ha |pudo |puede |podido )... ?(?:entreg|enviar)|no (?:fue|ha sido|pudo ser) entreg
(?:impossibile|non è stato possibile)...(?:recapit|consegn|inviar)|non (?:può essere |è stato )?(?:recapit|consegn)
não (?:pôde|pode|foi|foi possível)...(?:entreg|enviad)
(?:kon|kan|is) niet... ?(?:bezorgd|afgeleverd|worden bezorgd)
kunde inte levere|kunne ikke levere|ei voitu toimittaa
nie (?:mogła|można|udało|została)...(?:dostarcz|wysł)
не (?:удалось|может быть|было|могло быть)...достав|не доставлено|недоставлен
配信(?:でき|され|に失敗)|送信(?:でき|され)ませ|届(?:きませ|けること)|お届け|宛先不明
无法(?:投递|送达|发送)|無法(?:傳遞|投遞)|退回|배달되지|전송할 수 없
""")
DELAY: Final = any_of(r"""
(?:this is )?(?:a |just a )?warning (?:message )?only|do(?:n't| not) need to (?:resend|re-send)
(?:has |have |was |been |is |are |mail |message )(?:been |temporarily |currently )?delayed
(?:will|shall|is being|are being|continue\w*|still|keep)... ?(?:retr(?:y|ied)|be retried|be tried again
try(?:ing)? to deliver|trying)
not yet been delivered|has not yet been|still (?:being|in) (?:the )?queue|remains? in the queue
could not be delivered (?:yet|for the (?:last|past))|delivery attempts? will continue|temporarily deferred
has been postponed|delivery warning
""")
RETURNED: Final = any_of(r"""
^[\s>*#=_-]{0,20}(?:this is )?(?:a |the |your |full |partial )*(?:copy of
start of) (?:the |your |this )*(?:\w+ ){0,3}(?:message
mail|headers?|e-?mail|text)
^[\s>*#=_-]{0,20}below (?:this line )?(?:is|are|follows|you will find)... ?(?:copy|message|headers?|mail)
^[\s>*#=_-]{2,20}\s{0,4}(?:the |your |returned |unsent |undelivered |begin |partial |here is |full )*(?:original
unsent|returned|undelivered|undeliverable|bounced|rejected|failed|forwarded|included)... ?(?:message|mail|headers?
text)
^\s{0,4}(?:the )?(?:original|unsent|returned|undelivered|rejected) (?:message|mail
e-?mail)(?: headers?| header| text| body| is| was| follows| below
s)? ?(?:follows|attached|included|below|is)?:?\s{0,4}-{0,40}$
^[\s>*#=_-]{0,20}(?:your|the) (?:original )?(?:message|mail)(?: (?:header|text|body)s?)? (?:follows|is (?:attached
included|reproduced|enclosed|shown|returned))
^[\s>*#=_-]{0,20}(?:original|message) (?:message )?(?:headers?|source|text) (?:follow|for|is|are)?
^[\s>*#=_-]{0,20}(?:die|es folgt|hier).{0,40}(?:original|kopie|ursprüngliche).{0,40}(?:nachricht|header|mail)
^[\s>*#=_-]{2,20}.{0,20}(?:ursprüngliche nachricht|message d'origine|mensaje original|messaggio originale
mensagem original|oorspronkelijk bericht)
^\s{0,4}-{5,80}\s{0,4}(?:message header|header|headers|returned mail|message|transmitted message)\b(?! (?:not|could))
^\s{0,4}\*{3,80}.{0,20}original.{0,20}
^\s{0,4}(?:the|your) (?:message|headers?|first).{0,60}(?:below|follows?|was(?: received)?):\s{0,4}$
""")
