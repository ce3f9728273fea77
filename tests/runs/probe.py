"""Does the hidden state know more than the distribution shows? A linear probe on the state at the end of the prompt.

    python -m tests.runs.probe states --records R.jsonl --out R.npz DATA.jsonl …      one pass a question, no cloud
    python -m tests.runs.probe judge --records R.jsonl --states R.npz

`states` runs the configured edge model (FOGGATE_EDGE__…) over the questions of a records file and keeps the output of some layers at the
last token of the prompt, where the confidence begins, as float16. `judge` fits logistic regressions to whether the most probable letter was
correct, in ten folds, each judged on questions that it was not fitted on, and prints a line of JSON for each choice: AUROC with a 95 %
bootstrap interval for the features of the distribution, for the probe alone, and for both together.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from app.config.settings import Settings
from app.core.distribution import margin, most_probable, top_probability
from app.data.dataset import Skipped, load_items
from app.data.records import load_records
from app.evaluation import statistics as st

LAYERS = (0.5, 0.7, 0.85, 1.0)
COMPONENTS = (20, 50, 100)
FOLDS = 10


def states(given):
    from app.edge.build import build_engine, load_edge_model

    settings = Settings()
    loaded = load_edge_model(settings)
    kept = {}
    layers = loaded.model.model.layers
    places = [max(0, round(share * len(layers)) - 1) for share in LAYERS]

    def keep(place):
        def hook(_module, _inputs, output):
            kept[place] = output[0] if isinstance(output, tuple) else output

        return hook

    for place in places:
        layers[place].register_forward_hook(keep(place))
    engine = build_engine(settings, loaded)
    wanted = {record["id"] for record in load_records(given.records)}
    items = [item for item in load_items(given.data, skipped=Skipped()) if item.id in wanted]
    found = []
    for number, item in enumerate(items, start=1):
        prompt = engine.prepare(item.question)
        engine.verdicts([prompt])
        # The rows of one question are its computed tokens and then the trie: its last token is the one before the trie.
        found.append(np.stack([kept[place][0, prompt.computed - 1].float().numpy() for place in places]).astype(np.float16))
        if number % 50 == 0:
            print(f"{number} of {len(items)}", flush=True)
    np.savez_compressed(given.out, ids=np.array([item.id for item in items]), states=np.stack(found), layers=np.array(places))


def joined(records_path, states_path):
    """(features `[n, 3]`, states `[n, layers, size]`, correct `[n]`, layers) of the records that have both."""
    with np.load(states_path) as file:
        known = dict(zip(file["ids"].tolist(), file["states"], strict=True))
        layers = file["layers"].tolist()
    records = [record for record in load_records(records_path) if record["edge_answer"] is not None and record["id"] in known]
    shown, correct = [], []
    for record in records:
        answers = record["answer_probabilities"]
        shown.append([top_probability(answers.values()), margin(answers.values()), np.log(len(answers))])
        correct.append(most_probable(answers) == record["gold"])
    return np.array(shown), np.stack([known[record["id"]] for record in records]).astype(np.float64), np.array(correct), layers


def judge(given):
    from sklearn.compose import ColumnTransformer
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    shown, state, correct, layers = joined(given.records, given.states)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)

    def say(what, inputs, values):
        model = make_pipeline(inputs, LogisticRegression(C=0.05, max_iter=2000))
        predicted = cross_val_predict(model, values, correct, cv=folds, method="predict_proba")[:, 1]
        interval = st.interval(st.bootstrap_auroc(predicted, correct, resamples=2000, seed=0))
        numbers = {"auroc": round(st.auroc(predicted, correct), 3), "auroc_ci": [round(edge, 3) for edge in interval]}
        print(json.dumps({"signal": what, "n": len(correct), **numbers}), flush=True)

    say("features", StandardScaler(), shown)
    for place, layer in enumerate(layers):
        both = np.hstack([state[:, place], shown])
        size = state.shape[2]
        for components in COMPONENTS:
            reduced = make_pipeline(StandardScaler(), PCA(components, random_state=0), StandardScaler())
            name = f"layer {layer + 1}, {components} components"
            say(name, reduced, state[:, place])
            columns = [("state", reduced, slice(0, size)), ("features", StandardScaler(), slice(size, None))]
            say(f"{name}, and the features", ColumnTransformer(columns), both)


def main():
    parser = argparse.ArgumentParser()
    ways = parser.add_subparsers(required=True)
    one = ways.add_parser("states")
    one.add_argument("--records", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("data", nargs="+")
    one.set_defaults(run=states)
    other = ways.add_parser("judge")
    other.add_argument("--records", type=Path, required=True)
    other.add_argument("--states", type=Path, required=True)
    other.set_defaults(run=judge)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
