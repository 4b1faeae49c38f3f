"""Countries: which there are, and of each the currency and the time zone, where it has exactly one.

Sources: codes, ISO 3166-1 with ``XK``, as the time zone database lists them; currencies, Unicode CLDR 47 (legal
tender today; Bulgaria as of 2026), whose licence is in ``UNICODE-LICENSE.txt``; time zones, ``zone.tab`` of the time
zone database 2025b, in the public domain. Where a country has several, which one holds cannot be known from it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["COUNTRIES", "Country"]


class Country(NamedTuple):
    """What follows from being there."""

    currency: str | None
    """ISO 4217."""
    timezone: str | None
    """IANA name."""


_TABLE: Final = """
AD EUR Europe/Andorra
AE AED Asia/Dubai
AF AFN Asia/Kabul
AG XCD America/Antigua
AI XCD America/Anguilla
AL ALL Europe/Tirane
AM AMD Asia/Yerevan
AO AOA Africa/Luanda
AQ - -
AR ARS -
AS USD Pacific/Pago_Pago
AT EUR Europe/Vienna
AU AUD -
AW AWG America/Aruba
AX EUR Europe/Mariehamn
AZ AZN Asia/Baku
BA BAM Europe/Sarajevo
BB BBD America/Barbados
BD BDT Asia/Dhaka
BE EUR Europe/Brussels
BF XOF Africa/Ouagadougou
BG EUR Europe/Sofia
BH BHD Asia/Bahrain
BI BIF Africa/Bujumbura
BJ XOF Africa/Porto-Novo
BL EUR America/St_Barthelemy
BM BMD Atlantic/Bermuda
BN BND Asia/Brunei
BO BOB America/La_Paz
BQ USD America/Kralendijk
BR BRL -
BS BSD America/Nassau
BT - Asia/Thimphu
BV NOK -
BW BWP Africa/Gaborone
BY BYN Europe/Minsk
BZ BZD America/Belize
CA CAD -
CC AUD Indian/Cocos
CD CDF -
CF XAF Africa/Bangui
CG XAF Africa/Brazzaville
CH CHF Europe/Zurich
CI XOF Africa/Abidjan
CK NZD Pacific/Rarotonga
CL CLP -
CM XAF Africa/Douala
CN CNY -
CO COP America/Bogota
CR CRC America/Costa_Rica
CU CUP America/Havana
CV CVE Atlantic/Cape_Verde
CW XCG America/Curacao
CX AUD Indian/Christmas
CY EUR -
CZ CZK Europe/Prague
DE EUR -
DJ DJF Africa/Djibouti
DK DKK Europe/Copenhagen
DM XCD America/Dominica
DO DOP America/Santo_Domingo
DZ DZD Africa/Algiers
EC USD -
EE EUR Europe/Tallinn
EG EGP Africa/Cairo
EH MAD Africa/El_Aaiun
ER ERN Africa/Asmara
ES EUR -
ET ETB Africa/Addis_Ababa
FI EUR Europe/Helsinki
FJ FJD Pacific/Fiji
FK FKP Atlantic/Stanley
FM USD -
FO DKK Atlantic/Faroe
FR EUR Europe/Paris
GA XAF Africa/Libreville
GB GBP Europe/London
GD XCD America/Grenada
GE GEL Asia/Tbilisi
GF EUR America/Cayenne
GG GBP Europe/Guernsey
GH GHS Africa/Accra
GI GIP Europe/Gibraltar
GL DKK -
GM GMD Africa/Banjul
GN GNF Africa/Conakry
GP EUR America/Guadeloupe
GQ XAF Africa/Malabo
GR EUR Europe/Athens
GS GBP Atlantic/South_Georgia
GT GTQ America/Guatemala
GU USD Pacific/Guam
GW XOF Africa/Bissau
GY GYD America/Guyana
HK HKD Asia/Hong_Kong
HM AUD -
HN HNL America/Tegucigalpa
HR EUR Europe/Zagreb
HT - America/Port-au-Prince
HU HUF Europe/Budapest
ID IDR -
IE EUR Europe/Dublin
IL ILS Asia/Jerusalem
IM GBP Europe/Isle_of_Man
IN INR Asia/Kolkata
IO USD Indian/Chagos
IQ IQD Asia/Baghdad
IR IRR Asia/Tehran
IS ISK Atlantic/Reykjavik
IT EUR Europe/Rome
JE GBP Europe/Jersey
JM JMD America/Jamaica
JO JOD Asia/Amman
JP JPY Asia/Tokyo
KE KES Africa/Nairobi
KG KGS Asia/Bishkek
KH KHR Asia/Phnom_Penh
KI AUD -
KM KMF Indian/Comoro
KN XCD America/St_Kitts
KP KPW Asia/Pyongyang
KR KRW Asia/Seoul
KW KWD Asia/Kuwait
KY KYD America/Cayman
KZ KZT -
LA LAK Asia/Vientiane
LB LBP Asia/Beirut
LC XCD America/St_Lucia
LI CHF Europe/Vaduz
LK LKR Asia/Colombo
LR LRD Africa/Monrovia
LS - Africa/Maseru
LT EUR Europe/Vilnius
LU EUR Europe/Luxembourg
LV EUR Europe/Riga
LY LYD Africa/Tripoli
MA MAD Africa/Casablanca
MC EUR Europe/Monaco
MD MDL Europe/Chisinau
ME EUR Europe/Podgorica
MF EUR America/Marigot
MG MGA Indian/Antananarivo
MH USD -
MK MKD Europe/Skopje
ML XOF Africa/Bamako
MM MMK Asia/Yangon
MN MNT -
MO MOP Asia/Macau
MP USD Pacific/Saipan
MQ EUR America/Martinique
MR MRU Africa/Nouakchott
MS XCD America/Montserrat
MT EUR Europe/Malta
MU MUR Indian/Mauritius
MV MVR Indian/Maldives
MW MWK Africa/Blantyre
MX MXN -
MY MYR -
MZ MZN Africa/Maputo
NA - Africa/Windhoek
NC XPF Pacific/Noumea
NE XOF Africa/Niamey
NF AUD Pacific/Norfolk
NG NGN Africa/Lagos
NI NIO America/Managua
NL EUR Europe/Amsterdam
NO NOK Europe/Oslo
NP NPR Asia/Kathmandu
NR AUD Pacific/Nauru
NU NZD Pacific/Niue
NZ NZD -
OM OMR Asia/Muscat
PA - America/Panama
PE PEN America/Lima
PF XPF -
PG PGK -
PH PHP Asia/Manila
PK PKR Asia/Karachi
PL PLN Europe/Warsaw
PM EUR America/Miquelon
PN NZD Pacific/Pitcairn
PR USD America/Puerto_Rico
PS - -
PT EUR -
PW USD Pacific/Palau
PY PYG America/Asuncion
QA QAR Asia/Qatar
RE EUR Indian/Reunion
RO RON Europe/Bucharest
RS RSD Europe/Belgrade
RU RUB -
RW RWF Africa/Kigali
SA SAR Asia/Riyadh
SB SBD Pacific/Guadalcanal
SC SCR Indian/Mahe
SD SDG Africa/Khartoum
SE SEK Europe/Stockholm
SG SGD Asia/Singapore
SH SHP Atlantic/St_Helena
SI EUR Europe/Ljubljana
SJ NOK Arctic/Longyearbyen
SK EUR Europe/Bratislava
SL SLE Africa/Freetown
SM EUR Europe/San_Marino
SN XOF Africa/Dakar
SO SOS Africa/Mogadishu
SR SRD America/Paramaribo
SS SSP Africa/Juba
ST STN Africa/Sao_Tome
SV USD America/El_Salvador
SX XCG America/Lower_Princes
SY SYP Asia/Damascus
SZ SZL Africa/Mbabane
TC USD America/Grand_Turk
TD XAF Africa/Ndjamena
TF EUR Indian/Kerguelen
TG XOF Africa/Lome
TH THB Asia/Bangkok
TJ TJS Asia/Dushanbe
TK NZD Pacific/Fakaofo
TL USD Asia/Dili
TM TMT Asia/Ashgabat
TN TND Africa/Tunis
TO TOP Pacific/Tongatapu
TR TRY Europe/Istanbul
TT TTD America/Port_of_Spain
TV AUD Pacific/Funafuti
TW TWD Asia/Taipei
TZ TZS Africa/Dar_es_Salaam
UA UAH -
UG UGX Africa/Kampala
UM USD -
US USD -
UY UYU America/Montevideo
UZ UZS -
VA EUR Europe/Vatican
VC XCD America/St_Vincent
VE VES America/Caracas
VG USD America/Tortola
VI USD America/St_Thomas
VN VND Asia/Ho_Chi_Minh
VU VUV Pacific/Efate
WF XPF Pacific/Wallis
WS WST Pacific/Apia
XK EUR -
YE YER Asia/Aden
YT EUR Indian/Mayotte
ZA ZAR Africa/Johannesburg
ZM ZMW Africa/Lusaka
ZW - Africa/Harare
"""
COUNTRIES: Final = {
    code: Country(*(None if one == "-" else one for one in rest))
    for code, *rest in (line.split() for line in _TABLE.strip().splitlines())
}
"""ISO 3166-1 alpha-2 to what follows from it."""
