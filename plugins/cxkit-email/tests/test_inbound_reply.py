# ruff: noqa: RUF001 - words of many languages
"""What is new in a reply: quotes and signatures of the usual programs, in the languages they are set to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit_email.inbound import classify
from cxkit_email.inbound.reply import new_text

NEW = "Two more, please.\n\nAnd no liquorice."


@pytest.mark.parametrize(
    "attribution",
    [
        "On Fri, May 1, 2026 at 10:00 AM Shop <shop@shop.example> wrote:",
        "On Fri, May 1, 2026 at 10:00 AM Candy Haven, the best of all shops\n<shop@shop.example> wrote:",
        "On 1 May 2026, at 10:00, Shop\n<shop@shop.example>\nwrote:",
        "Le ven. 1 mai 2026 à 10:00, Shop <shop@shop.example> a écrit :",
        "Am 01.05.2026 um 10:00 schrieb Shop <shop@shop.example>:",
        "Am Fr., 1. Mai 2026 um 10:00 Uhr schrieb Shop <\nshop@shop.example>:",
        "El vie, 1 may 2026 a las 10:00, Shop (<shop@shop.example>) escribió:",
        "Il giorno ven 1 mag 2026 alle ore 10:00 Shop <shop@shop.example> ha scritto:",
        "Em sex., 1 de mai. de 2026 às 10:00, Shop <shop@shop.example> escreveu:",
        "Op vr 1 mei 2026 om 10:00 schreef Shop <shop@shop.example>:",
        "Den fre 1 maj 2026 kl 10:00 skrev Shop <shop@shop.example>:",
        "fre. 1. maj 2026 kl. 10.00 skrev Shop <shop@shop.example>:",
        "pt., 1 maj 2026 o 10:00 Shop <shop@shop.example> napisał(a):",
        "пт, 1 мая 2026 г. в 10:00, Shop <shop@shop.example> написал:",
        "2026年5月1日(金) 10:00 Shop <shop@shop.example>:",
        "Shop <shop@shop.example> 于2026年5月1日周五 10:00写道：",
        "shop@shop.example wrote on 01/05/2026 10:00:",
    ],
)
def test_an_attribution_begins_what_is_quoted(attribution: str) -> None:
    assert new_text(f"{NEW}\n\n{attribution}\n\n> Thank you for your order.\n> It is on its way.\n") == NEW


@pytest.mark.parametrize(
    "headers",
    [
        "From: Shop <shop@shop.example>\nSent: Friday, May 1, 2026 10:00 AM\nTo: Nancy\nSubject: Your order",
        "________________________________\nFrom: Shop\nSent: Friday\nTo: Nancy\nSubject: Your order",
        "-----Original Message-----\nFrom: Shop\nSent: Friday\nTo: Nancy\nSubject: Your order",
        "Von: Shop <shop@shop.example>\nGesendet: Freitag, 1. Mai 2026 10:00\nAn: Nancy\nBetreff: Ihre Bestellung",
        "De : Shop <shop@shop.example>\nEnvoyé : vendredi 1 mai 2026 10:00\nÀ : Nancy\nObjet : Votre commande",
        "De: Shop <shop@shop.example>\nEnviado: viernes, 1 de mayo de 2026 10:00\nPara: Nancy\nAsunto: Su pedido",
        "Da: Shop <shop@shop.example>\nInviato: venerdì 1 maggio 2026 10:00\nA: Nancy\nOggetto: Il suo ordine",
        "Van: Shop <shop@shop.example>\nVerzonden: vrijdag 1 mei 2026 10:00\nAan: Nancy\nOnderwerp: Uw bestelling",
        "*From:* Shop <shop@shop.example>\n*Sent:* Friday, May 1, 2026 10:00 AM\n*To:* Nancy\n*Subject:* Your order",
    ],
)
def test_a_block_of_headers_begins_what_is_quoted(headers: str) -> None:
    assert new_text(f"{NEW}\n\n{headers}\n\nThank you for your order.\n") == NEW


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nNancy\nCandy lover", "--\nNancy", "Sent from my iPhone", "Get Outlook for Android",
        "Sent from Outlook for iOS",
        "Von meinem iPhone gesendet", "Gesendet von meinem Samsung", "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Enviado do meu iPhone", "Inviato da iPhone", "Verstuurd vanaf mijn iPhone", "Skickat från min iPhone",
        "Wysłane z iPhone'a", "Отправлено с iPhone", "iPhoneから送信",
    ],
)  # fmt: skip
def test_a_signature_is_not_new(signature: str) -> None:
    assert new_text(f"{NEW}\n\n{signature}\n") == NEW


def test_an_answer_below_the_quote_is_new() -> None:
    text = (
        "On 1 May 2026, Shop <shop@shop.example> wrote:\n> Shall we send it?\n> Today?\n\nYes.\n\n> Or tomorrow?\n\nNo."
    )
    assert new_text(text) == "Yes.\n\nNo."


@pytest.mark.parametrize(
    "text",
    [
        "She wrote:\nplease send it.",
        "From: Lyon it takes a day, they wrote.",
        "I sent from here to there > 3 parcels.",
        "To: whom it may concern",
        "Sent from the shop yesterday? I am not sure that it was, for nobody saw it, and they see all.",
        "It costs > 3 euros:\nthat is too much.",
        "You sent me this 1.5.2026:\nwhy?",
        "Am Ende schrieb sie mir:\nnein.",
        "--\u2013\nno signature",
    ],
)
def test_what_only_looks_like_a_quote_stays(text: str) -> None:
    assert new_text(f"Hello,\n{text}") == f"Hello,\n{text}"


def test_where_nothing_would_be_left_all_of_it_is() -> None:
    assert new_text("> everything quoted") == "> everything quoted"


def test_what_is_passed_on_stays() -> None:
    text = (
        "See below.\n\n---------- Forwarded message ---------\nFrom: Bob\nDate: Friday\nTo: Nancy\n\nYour box is open."
    )
    assert new_text(text) == text


def test_html_alone_is_read_as_text() -> None:
    raw = (
        b"From: nancy@example.org\nContent-Type: text/html\n\n"
        b"<p>Two more, please.</p><br>On 1 May 2026, Shop &lt;shop@shop.example&gt; wrote:"
        b"<blockquote>Thank you.</blockquote>"
    )
    found = classify(raw)
    assert found.reply is not None
    assert found.reply.text == "Two more, please."
    assert "Thank you." in found.reply.full


@given(st.text())
def test_what_is_new_is_in_what_was_written(full: str) -> None:
    written = full.splitlines()
    assert all(any(line in one for one in written) for line in new_text(full).splitlines())
