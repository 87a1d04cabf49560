"""The policies that can be compared, by name."""

from __future__ import annotations

from collections.abc import Mapping

NOBODY, FIXED, RULES, RANDOM, ONJE, ORACLE = (
    "nobody", "everybody-best-fixed", "rules", "random-eligible", "onje", "oracle",
)  # fmt: skip

POLICIES: Mapping[str, str] = {
    NOBODY: "no marketing e-mail at all",
    FIXED: "one e-mail at one hour for everybody: the pair worth most in truth on the first night",
    RULES: "the first e-mail of onje.toml that applies, at the default hour or at once",
    RANDOM: "any allowed e-mail at any allowed hour, by chance",
    ONJE: "models and policy as they would run, with holdout and exploration",
    ORACLE: "knows the truth: of each customer's allowed e-mails and hours the worthiest, or none",
}
