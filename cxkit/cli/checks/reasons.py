"""Why interactions are given up, and what else goes wrong: what each reason means, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from cxkit.cli.language import say

__all__ = ["CONSENT", "HARMLESS", "Meaning", "meaning_of", "meaning_of_noted"]

CONSENT = frozenset({"consent", "consent_refused", "consent_undecided"})
"""Reasons that are nobody's fault."""
HARMLESS = frozenset(
    {
        "beacon_foreign",
        "beacon_repeated",
        "beacon_unreadable",
        "decider_refused",
        "signal_unreadable",
        "token_refused",
        "webhook_repeated",
    }
)
"""What goes wrong by itself, now and then, without anything here being broken."""


class Meaning(NamedTuple):
    """What a reason means, and what to do."""

    what: str
    fix: str


def meaning_of(reason: str) -> Meaning:
    """What a reason means, in the operator's language."""
    known = {
        "consent_refused": Meaning(
            say("the customer refused this purpose: it was not even kept"),
            say("nothing: this is their choice"),
        ),
        "consent_undecided": Meaning(
            say("the customer had not chosen, and consent.before_choice is \"drop\" or \"hold\": it was not even kept"),
            say("ask for consent"),
        ),
        "consent": Meaning(
            say("kept, but a purpose of this exporter or of the touchpoint was not allowed"),
            say("ask for consent to that purpose, or leave it as it is"),
        ),
        "queue_full": Meaning(
            say("more was captured at once than the disk could take"),
            say("raise queue.max_bytes, or put the directory on a faster disk"),
        ),
        "after_close": Meaning(
            say("captured after the kit was closed"),
            say("close the kit later, as the last thing the process does"),
        ),
        "invalid": Meaning(
            say("the capture was wrong"),
            say("set CXKIT_STRICT=true where you develop: the error is raised there"),
        ),
        "internal_error": Meaning(
            say("something failed inside cxkit while it was captured"),
            say("report it, with the line that was logged under \"cxkit\""),
        ),
        "oversize": Meaning(
            say("larger than a record may be"),
            say("capture less in one interaction"),
        ),
        "disk_error": Meaning(
            say("the disk did not take it until the process ended"),
            say("mend the disk of the directory, or free some space"),
        ),
        "own_thread": Meaning(
            say("captured by an exporter, on a thread of cxkit"),
            say("capture nothing in an exporter"),
        ),
        "beacon_refused": Meaning(
            say("a browser sent what the beacon does not send, or what no page may capture"),
            say("nothing; but where your own pages call cx.capture: list the touchpoint in web.beacon_touchpoints"),
        ),
        "beacon_undeclared": Meaning(
            say("web.beacon_touchpoints names a touchpoint that is declared nowhere"),
            say("declare it with cxkit.touchpoint, in a module that your application imports"),
        ),
        "beacon_robot": Meaning(
            say("the beacon ran in a robot, or in a page that was only fetched ahead"),
            say("nothing: nobody looked at it"),
        ),
        "erased": Meaning(
            say("its customer has left"),
            say("nothing: they asked for it"),
        ),
        "expired": Meaning(
            say("waited longer than spool.max_age_s"),
            say("mend the exporter: `cxkit export test NAME` says what is wrong"),
        ),
        "spool_full": Meaning(
            say("more than spool.max_bytes or spool.max_records were waiting"),
            say("mend the exporter, or raise what was reached"),
        ),
        "corrupt": Meaning(
            say("it could not be read any more"),
            say("check the disk"),
        ),
    }  # fmt: skip
    return known.get(reason) or Meaning(say("no meaning is known here"), say("update cxkit"))


def meaning_of_noted(name: str) -> Meaning:
    """What went wrong without costing an interaction, in the operator's language; a plugin may be named after a dot."""
    known = {
        "store_failed": Meaning(
            say("the store failed when it was asked, and nothing was known of the person"),
            say("mend the store, or its network; what is wrong was logged under \"cxkit\""),
        ),
        "changes_failed": Meaning(
            say("the store failed when it was asked what others had changed"),
            say("mend the store, or its network; what is wrong was logged under \"cxkit\""),
        ),
        "decider_failed": Meaning(
            say("a decider raised, and the decision was made without it"),
            say("mend the plugin, or block it in plugins.block"),
        ),
        "decider_refused": Meaning(
            say("a decider decided deeper than the person allowed, and the decision was made without it"),
            say("nothing, or let the decider heed the cap it is given"),
        ),
        "experiences_clash": Meaning(
            say("an experience in code cannot stand beside those that are configured: a name is taken, say"),
            say('change one of them; what is wrong was logged under "cxkit"'),
        ),
        "experiences_refused": Meaning(
            say("the file of experiences could not be read when it had changed, and what it said before holds"),
            say("run cxkit config check; what is wrong was logged under \"cxkit\""),
        ),
        "prerequisite_cyclic": Meaning(
            say("an experiment needs an experience that needs itself in the end, and nobody took part in it"),
            say("take one of the prerequisites out"),
        ),
        "prerequisite_missing": Meaning(
            say("an experiment needs an experience that there is not, and nobody took part in it"),
            say("declare that experience, or configure it"),
        ),
        "assignment_foreign": Meaning(
            say("a decision was said to be shown to somebody to whom its experiment gives something else"),
            say("give exposed() the decision of the person it is shown to"),
        ),
        "enricher_failed": Meaning(
            say("an enricher raised, and the context was left as it was"),
            say("mend the plugin, or block it in plugins.block"),
        ),
        "enricher_slow": Meaning(
            say("an enricher took longer than it may"),
            say("let it look things up at the start of the process"),
        ),
        "enricher_off": Meaning(
            say("an enricher failed, or was slow, so often that a process switched it off"),
            say("mend the plugin, then start the application anew"),
        ),
        "signal_failed": Meaning(
            say("the reader of a signal raised, and all that the signal may refuse was refused"),
            say("mend the plugin, or block it in plugins.block"),
        ),
        "signal_unreadable": Meaning(
            say("a signal was not what it should be, and all that it may refuse was refused"),
            say("nothing, or look at what your pages give to cxkit.signal"),
        ),
        "token_refused": Meaning(
            say("a cookie, a link of a message or its mark was out of date, or not one of ours"),
            say("nothing; but where it is all cookies: set the same keys.signing on all machines"),
        ),
        "webhook_refused": Meaning(
            say("something called a webhook and was not believed"),
            say("nothing; but where it is your provider: give the webhook the secret that the provider has"),
        ),
        "webhook_unreadable": Meaning(
            say("a provider told what nobody could make sense of"),
            say("look whether the webhook has the type of the provider that calls it"),
        ),
        "webhook_repeated": Meaning(
            say("a provider told again what it had told, and it was kept once"),
            say("nothing: providers do when they cannot know whether it arrived"),
        ),
        "webhook_postponed": Meaning(
            say("what a provider told could not be kept, and it was asked to tell it again"),
            say("mend the store, or its network; what is wrong was logged under \"cxkit\""),
        ),
        "beacon_foreign": Meaning(
            say("a page of another site spoke to the beacon's endpoint"),
            say("nothing; or, if that site is yours: list it in web.origins"),
        ),
        "beacon_limited": Meaning(
            say("more events of the beacon came from one address than web.beacon_per_minute"),
            say("behind a proxy, set web.client_ip, or all visitors share one address; else raise the limit"),
        ),
        "consent_limited": Meaning(
            say("more was allowed from one address in a minute than the pages of consent take"),
            say("behind a proxy, set web.client_ip, or all visitors share one address"),
        ),
        "endpoint_limited": Meaning(
            say("an endpoint of a plugin was asked more often from one address than it answers"),
            say("behind a proxy, set web.client_ip, or all visitors share one address"),
        ),
        "beacon_repeated": Meaning(
            say("a browser sent an event of the beacon twice, and it was kept once"),
            say("nothing: browsers do when they cannot know whether it arrived"),
        ),
        "beacon_unconfirmed": Meaning(
            say("that somebody used the page a message led to could not be kept with the message"),
            say("mend the store, or its network; what is wrong was logged under \"cxkit\""),
        ),
        "beacon_unreadable": Meaning(
            say("somebody sent the beacon's endpoint what no beacon sends"),
            say("nothing: it was refused unread"),
        ),
        "invalid": Meaning(
            say("a call was wrong, and what was wrong in it had no effect"),
            say("set CXKIT_STRICT=true where you develop: the error is raised there"),
        ),
        "part_invalid": Meaning(
            say("a part of interactions did not fit, and they were kept without it"),
            say("set CXKIT_STRICT=true where you develop: the error is raised there"),
        ),
        "internal_error": Meaning(
            say("something failed inside cxkit, and a call had no effect"),
            say("report it, with the line that was logged under \"cxkit\""),
        ),
        "write_fell_back": Meaning(
            say("the disk stalled, and what was captured went through the queue"),
            say("put the directory on a faster disk"),
        ),
        "sync_fell_back": Meaning(
            say("the disk stalled, and nobody waited until it was safe from a power cut"),
            say("put the directory on a faster disk"),
        ),
    }  # fmt: skip
    return known.get(name.partition(".")[0]) or Meaning(say("no meaning is known here"), say("update cxkit"))
