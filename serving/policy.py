"""The middle of a decision: frames in, one e-mail at one instant or none per question out."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from features.hashing import stable_hash
from serving.candidates import candidates_of
from serving.guardrails import OF_ARMS, OF_CUSTOMERS, closed_times, quiet_reason, reasons
from serving.hours import hours, instants_of, with_pull, with_window
from serving.products import with_products
from serving.reasons import send_reasons, wait_reasons
from serving.settings import ServingSettings
from serving.tables import ARM, REASON
from serving.value import at_pull, value_at, with_worth


@dataclass(frozen=True)
class Inputs:
    """Everything a decision depends on; `person` numbers the distinct (customer_id, as_of) from 0.

    `questions`: row, person, spread, customer_id, as_of, emails, earliest, deadline and whatever
    is known of the customer. `curves`: 48 hours per person. `picks`: products per person and
    pick. `mails`: person, as_of, email, at of what was sent or promised.
    """

    questions: pl.DataFrame
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
    arms = with_window(candidates_of(inputs.questions, settings.emails))
    arms = with_worth(with_products(arms, inputs.picks), settings.policy)
    instants = _instants(arms, inputs, settings=settings, default_zone=default_zone)
    arms = _with_best_instants(arms, instants).with_columns(
        value=value_at("pull"), unconstrained_value=value_at("unconstrained_pull")
    )
    return _decided(inputs.questions, _with_variant(arms, settings), settings, currency)


def _instants(
    arms: pl.DataFrame, inputs: Inputs, *, settings: ServingSettings, default_zone: str
) -> pl.DataFrame:
    """All instants of the arms that compete, in order, with `pull` and `shut_by` (null = open)."""
    policy = settings.policy
    instants = with_pull(
        instants_of(arms.filter("considered"), default_zone=default_zone),
        inputs.curves,
        weight=policy.hour_weight,
        default_hour=policy.default_hour,
    ).with_row_index("instant")
    closed = closed_times(inputs.mails, policy=policy, emails=settings.emails)
    # Of the rules that shut an instant the one that lasts longest is named.
    shut = (
        instants.select("instant", "person", "at", sending="email")
        .join(closed, on="person")
        .filter(
            pl.col("email").is_null() | (pl.col("email") == pl.col("sending")),
            pl.col("at").is_between("closed_from", "closed_until", closed="none"),
        )
        .sort("instant", "closed_until", "code", descending=[False, True, False])
        .unique("instant", keep="first", maintain_order=True)
        .select("instant", by_frequency=pl.struct("code", "text"))
    )
    is_quiet = pl.col("hour").is_in(policy.quiet_hours)
    quiet = pl.struct(code=pl.lit("quiet_hours"), text=pl.lit(quiet_reason(policy)))
    return instants.join(shut, on="instant", how="left", maintain_order="left").with_columns(
        shut_by=pl.coalesce("by_frequency", pl.when(is_quiet).then(quiet))
    )


def _with_best_instants(arms: pl.DataFrame, instants: pl.DataFrame) -> pl.DataFrame:
    """Add the best open instant, the best of all, and `forbidden_by`: what leaves no instant."""
    best_of_all = pl.col("pull").arg_max()
    best = pl.when(pl.col("shut_by").is_null()).then("pull").arg_max()
    told = ("at", "local_at", "pull", "lift", "freshness", "source", "leaves_now")
    found = instants.group_by("arm", maintain_order=True).agg(
        *(pl.col(name).get(best, null_on_oob=True) for name in told),
        unconstrained_at=pl.col("at").get(best_of_all),
        unconstrained_pull=pl.col("pull").get(best_of_all),
        moved_by=pl.col("shut_by").get(best_of_all),
        all_shut_by=pl.col("shut_by").drop_nulls().unique(maintain_order=True),
    )
    nothing = pl.lit([], pl.List(REASON))
    forbidden = pl.concat_list(
        reasons(OF_CUSTOMERS),
        reasons(OF_ARMS),
        pl.when(pl.col("send_at").is_null()).then("all_shut_by").fill_null(nothing),
    )
    return (
        arms.join(found, on="arm", how="left", maintain_order="left")
        .rename({"at": "send_at", "local_at": "local_send_at"})
        .with_columns(forbidden_by=pl.when("considered").then(forbidden).otherwise(nothing))
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
    questions: pl.DataFrame, arms: pl.DataFrame, settings: ServingSettings, currency: str
) -> pl.DataFrame:
    may_go = (pl.col("forbidden_by").list.len() == 0) & pl.col("send_at").is_not_null()
    # A pure question of time has been decided already as to whether it is worth it.
    is_worth_it = (pl.col("value") > 0) | pl.col("only_time")
    considered = arms.filter("considered")
    chosen = _first_per_row(considered.filter(may_go, is_worth_it), "value")
    top = _first_per_row(considered, "unconstrained_value").select(
        "row",
        top_email="email",
        top_at="unconstrained_at",
        top_value="unconstrained_value",
        top_open_value="value",
        top_forbidden_by="forbidden_by",
        top_is_worth_it=(pl.col("unconstrained_value") > 0) | pl.col("only_time"),
    )
    told = arms.with_columns(at_pull(name) for name in ("clicks", "orders", "margin", "discount"))
    told = told.rename({"reason": "because", "lift": "hour_lift"})
    listed = told.group_by("row", maintain_order=True).agg(
        arms=pl.struct(*(field.name for field in ARM.fields))
    )
    is_send = pl.col("email").is_not_null()
    policy = settings.policy
    return (
        questions.select("row", customer_reasons=reasons(OF_CUSTOMERS))
        .join(chosen, on="row", how="left", maintain_order="left")
        .join(top, on="row", how="left", maintain_order="left")
        .join(listed, on="row", how="left", maintain_order="left")
        .with_columns(
            questions.get_column("as_of"),
            because=pl.when(is_send)
            .then(send_reasons(policy))
            .otherwise(wait_reasons(currency=currency)),
            unconstrained_best=pl.when("top_is_worth_it").then(
                pl.struct(email="top_email", send_at="top_at", value="top_value")
            ),
        )
        .select(
            "row",
            "email",
            "variant",
            "send_at",
            "local_send_at",
            "value",
            "arms",
            "unconstrained_best",
            pl.col("because").list.drop_nulls(),
            pl.col("products").fill_null(pl.lit([], pl.List(pl.String))),
            action=pl.when(is_send).then(pl.lit("send")).otherwise(pl.lit("wait")),
            discount="discount_share",
            coupon=pl.when(pl.col("coupon") != "").then("coupon"),
            tone="tone",
            picks="picks",
            hour_source="source",
            valid_until=pl.when(is_send)
            .then(
                pl.min_horizontal(
                    "ends_at",
                    pl.col("send_at") + hours(pl.lit(policy.reservation_hours)),
                )
            )
            .otherwise(pl.col("as_of") + hours(pl.lit(policy.ask_again_hours))),
        )
    )


def _first_per_row(arms: pl.DataFrame, value: str) -> pl.DataFrame:
    """The arm of the highest value in each row; of equals the one listed first."""
    return arms.sort(
        "row", value, "place", descending=[False, True, False], nulls_last=True
    ).unique("row", keep="first", maintain_order=True)
