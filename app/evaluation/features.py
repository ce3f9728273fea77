"""The features of the signal `fitted`, read from a record exactly as the gateway reads them from a verdict."""

from app.core.buckets import BUCKET_LABELS
from app.core.fitted import Logistic, letters_agree, shown_features, stated_features
from app.data.records import Record


def record_features(record: Record) -> dict[str, float]:
    """The features of a record with an edge answer, by name."""
    answers, buckets = record["answer_probabilities"], record["confidence_probabilities"]
    found = shown_features(list(answers.values()))
    if buckets is not None:
        agree = letters_agree(answers, record["edge_answer"])
        found |= stated_features([buckets[label] for label in BUCKET_LABELS], letters_agree=agree)
    return found


def has_features(record: Record, model: Logistic) -> bool:
    """Whether a record with an edge answer has every feature of a model."""
    return record_features(record).keys() >= set(model.features)
