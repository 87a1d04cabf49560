"""The middle of a decision: frames in, one e-mail at one instant or none per question out."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from features.hashing import stable_hash
from serving.guardrails import OF_ARMS, OF_CUSTOMERS, closed_times, quiet_reason
from serving.hours import hours, instants_of, with_pull, with_window
from serving.products import with_products
from serving.reasons import Reasons, doubts, listed, no_reasons, send_reasons, told, wait_reasons
from serving.settings import ServingSettings
from serving.tables import ARM
from serving.value import at_pull, value_at, with_worth

# What an answer reads of the question, and of the arm that is chosen.
OF_QUESTION = (
    "row", "as_of", "known_customer", "timezone_known", "degraded", "missing_models",
    "hour_evidence", "email_consent", "consent_since", "suppressed_by", "suppressed_at",
)  # fmt: skip
OF_CHOSEN = (
    "row", "email", "variant", "value", "send_at", "local_send_at", "ends_at", "products",
    "picks", "coupon", "tone", "discount_share", "reason", "applies", "only_time", "leaves_now",
    "lift", "source", "moved_by",
)  # fmt: skip


FORBIDDING_CUSTOMERS = tuple(rule.reason for rule in OF_CUSTOMERS)
FORBIDDING = (*FORBIDDING_CUSTOMERS, *(rule.reason for rule in OF_ARMS))


@dataclass(frozen=True)
class Inputs:
    """Everything a decision depends on; `person` numbers the distinct (customer_id, as_of) from 0.

    `questions`: row, person, spread, customer_id, as_of, emails, earliest, deadline and whatever
    is known of the customer. `candidates`: those of serving.candidates. `curves`: 48 hours per
    person. `picks`: products per person and pick. `mails`: person, as_of, email, at of what was
    sent or promised.
    """

    questions: pl.DataFrame
    candidates: pl.DataFrame
    curves: pl.DataFrame
    picks: pl.DataFrame
    mails: pl.DataFrame


def decide(
    inputs: Inputs, *, settings: ServingSettings, default_zone: str, currency: str
) -> pl.DataFrame:
    """One row per question, in order: what DECISIONS says of the action, and `arms` beside it.

    The worthiest e-mail at its best allowed instant wins, if it is worth more than none at all.
    A tie goes to the e-mail listed first, so that the answer is never an accident.
    """
    windows = with_products(with_window(inputs.candidates.lazy()), inputs.picks)
    arms = with_worth(windows, settings.policy).collect(engine="in-memory")
    instants = _instants(arms, inputs, settings=settings)
    arms = _with_best_instants(arms, instants)
    return _decided(
        inputs.questions,
        _with_variant(arms, settings),
        settings=settings,
        default_zone=default_zone,
        currency=currency,
    )


def _instants(arms: pl.DataFrame, inputs: Inputs, *, settings: ServingSettings) -> pl.DataFrame:
    """All instants of the arms that compete, in order, with `pull` and `shut_by` (null = open)."""
    policy = settings.policy
    instants = with_pull(
        instants_of(arms.filter("considered")),
        inputs.curves,
        weight=policy.hour_weight,
        default_hour=policy.default_hour,
    ).with_row_index("instant")
    # Of the rules that shut an instant the one that lasts longest is named.
    shut = (
        instants.lazy()
        .select("instant", "person", "at", "email")
        .join(closed_times(inputs.mails, settings), on="person")
        .filter(
            pl.col("forbids").is_null() | (pl.col("forbids") == pl.col("email")),
            pl.col("at").is_between("closed_from", "closed_until", closed="none"),
        )
        .sort("instant", "closed_until", "code", descending=[False, True, False])
        .unique("instant", keep="first", maintain_order=True)
        .select("instant", by_frequency=pl.struct("code", "text"))
        .collect(engine="in-memory")
    )
    is_quiet = pl.col("hour").is_in(policy.quiet_hours)
    quiet = pl.struct(code=pl.lit("quiet_hours"), text=pl.lit(quiet_reason(policy)))
    return instants.join(shut, on="instant", how="left", maintain_order="left").with_columns(
        shut_by=pl.coalesce("by_frequency", pl.when(is_quiet).then(quiet))
    )


def _with_best_instants(arms: pl.DataFrame, instants: pl.DataFrame) -> pl.DataFrame:
    """Add the best open instant, the best of all, and `forbidden_by`: what leaves no instant."""
    open_pull = pl.when(pl.col("shut_by").is_null()).then("pull")
    best = instants.group_by("arm", maintain_order=True).agg(
        instant=pl.col("instant").get(open_pull.arg_max(), null_on_oob=True),
        best_of_all=pl.col("instant").get(pl.col("pull").arg_max()),
    )
    allowed = instants.select(
        "instant", "local_at", "pull", "lift", "freshness", "source", "leaves_now", send_at="at"
    )
    unconstrained = instants.select(
        "instant", unconstrained_at="at", unconstrained_pull="pull", moved_by="shut_by"
    )
    considered = arms.lazy().filter("considered")
    shut = (
        instants.lazy()
        .join(best.lazy().filter(pl.col("instant").is_null()), on="arm", how="semi")
        .select("arm", pl.col("shut_by").struct.unnest())
        .unique(["arm", "code"], keep="first", maintain_order=True)
    )
    forbidden = listed(
        [told(considered, "arm", FORBIDDING), shut],
        "arm",
        "forbidden_by",
    )
    return (
        arms.lazy()
        .join(best.lazy(), on="arm", how="left", maintain_order="left")
        .join(allowed.lazy(), on="instant", how="left", maintain_order="left")
        .join(
            unconstrained.lazy(),
            left_on="best_of_all",
            right_on="instant",
            how="left",
            maintain_order="left",
        )
        .join(forbidden, on="arm", how="left", maintain_order="left")
        .with_columns(pl.col("forbidden_by").fill_null(no_reasons()))
        .with_columns(value=value_at("pull"), unconstrained_value=value_at("unconstrained_pull"))
        .rename({"local_at": "local_send_at"})
        .collect(engine="in-memory")
    )


def _with_variant(arms: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """Add `variant`, dealt to each customer by a stable hash: the same one at every ask."""
    salt = f"variant {settings.policy.seed}"
    dealt = []
    for email, customer in arms.select("email", "customer_id").iter_rows():
        variants = settings.emails[email].variants
        # Hashing takes longer than all the rest where there is nothing to choose.
        place = stable_hash(f"{email}\0{customer}", salt) % len(variants) if variants[1:] else 0
        dealt.append(variants[place])
    return arms.with_columns(pl.Series("variant", dealt, pl.String))


def _decided(
    questions: pl.DataFrame,
    arms: pl.DataFrame,
    *,
    settings: ServingSettings,
    default_zone: str,
    currency: str,
) -> pl.DataFrame:
    policy = settings.policy
    may_go = (pl.col("forbidden_by").list.len() == 0) & pl.col("send_at").is_not_null()
    # A pure question of time has been decided already as to whether it is worth it.
    is_worth_it = (pl.col("value") > 0) | pl.col("only_time")
    considered = arms.lazy().filter("considered")
    chosen = _first_per_row(considered.filter(may_go, is_worth_it), "value").select(*OF_CHOSEN)
    top = _first_per_row(considered, "unconstrained_value").select(
        "row",
        top_email="email",
        top_at="unconstrained_at",
        top_value="unconstrained_value",
        top_open_value="value",
        top_forbidden_by="forbidden_by",
        top_is_worth_it=(pl.col("unconstrained_value") > 0) | pl.col("only_time"),
    )
    is_send = pl.col("email").is_not_null()
    held_until = pl.col("send_at") + hours(pl.lit(policy.reservation_hours))
    waits_until = pl.col("as_of") + hours(pl.lit(policy.ask_again_hours))
    decided = (
        questions.lazy()
        .select(*OF_QUESTION)
        .join(chosen, on="row", how="left", maintain_order="left")
        .join(top, on="row", how="left", maintain_order="left")
        .with_columns(
            action=pl.when(is_send).then(pl.lit("send")).otherwise(pl.lit("wait")),
            valid_until=pl.when(is_send)
            .then(pl.min_horizontal("ends_at", held_until))
            .otherwise(waits_until),
            unconstrained_best=pl.when("top_is_worth_it").then(
                pl.struct(email="top_email", send_at="top_at", value="top_value")
            ),
        )
        .collect(engine="in-memory")
        .lazy()
    )
    because = _because(decided, send_reasons(policy), wait_reasons(currency), doubts(default_zone))
    return (
        decided.join(because, on="row", how="left", maintain_order="left")
        .join(_receipts(arms), on="row", how="left", maintain_order="left")
        .with_columns(
            pl.col("because").fill_null(no_reasons()),
            pl.col("products").fill_null(pl.lit([], pl.List(pl.String))),
        )
        .collect(engine="in-memory")
    )


def _because(
    decided: pl.LazyFrame, of_send: Reasons, of_wait: Reasons, of_both: Reasons
) -> pl.LazyFrame:
    send = decided.filter(pl.col("action") == "send")
    wait = decided.filter(pl.col("action") == "wait")
    forbidden = (
        wait.select("row", "top_forbidden_by")
        .explode("top_forbidden_by")
        .drop_nulls("top_forbidden_by")
        .select("row", pl.col("top_forbidden_by").struct.unnest())
    )
    # What forbids a customer any mail is told even where no e-mail applies.
    anyhow = told(wait.filter(pl.col("top_email").is_null()), "row", FORBIDDING_CUSTOMERS)
    return listed(
        [
            told(send, "row", of_send),
            anyhow,
            forbidden,
            told(wait, "row", of_wait),
            told(decided, "row", of_both),
        ],
        "row",
        "because",
    )


def _receipts(arms: pl.DataFrame) -> pl.LazyFrame:
    """`arms`: per row all arms as the receipt keeps them."""
    parts = [at_pull(name) for name in ("clicks", "orders", "margin", "discount")]
    return (
        arms.lazy()
        .with_columns(parts)
        .rename({"reason": "because", "lift": "hour_lift"})
        .group_by("row", maintain_order=True)
        .agg(arms=pl.struct(field.name for field in ARM.fields))
    )


def _first_per_row(arms: pl.LazyFrame, value: str) -> pl.LazyFrame:
    """The arm of the highest value in each row; of equals the one listed first."""
    return arms.sort(
        "row", value, "place", descending=[False, True, False], nulls_last=True
    ).unique("row", keep="first", maintain_order=True)
