"""Eight Hugging Face Trainer runs that tune the top one or two layers of a BERT encoder; prints JSON.

Usage: sweep.py --data FOLDER --model FOLDER [--precision fp32|bf16] [--tops 1,2] [--rates 1e-4,...]
The data folder holds train.jsonl, val.jsonl and test.jsonl with {"text", "label"} rows.
"""

import argparse
import json
import os
import resource
import time

import numpy
import torch
import transformers
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)


def read_rows(folder, split):
    with open(os.path.join(folder, f"{split}.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


class Rows(torch.utils.data.Dataset):
    """Tokenized once, before the clock starts."""

    def __init__(self, rows, tokenizer, index_of, max_length):
        self.items = [
            {**tokenizer(row["text"], truncation=True, max_length=max_length), "labels": index_of[row["label"]]}
            for row in rows
        ]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def accuracy(prediction):
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run_trial(options, splits, labels, tokenizer, top, rate):
    """One run, as a reader of the Trainer's documentation would write it."""
    set_seed(options.seed)
    model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=len(labels))
    first = model.config.num_hidden_layers - top
    for name, weight in model.named_parameters():
        is_lower = name.startswith("bert.embeddings.") or any(
            name.startswith(f"bert.encoder.layer.{layer}.") for layer in range(first)
        )
        weight.requires_grad = not is_lower
    arguments = TrainingArguments(
        output_dir=options.scratch,
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=options.batch_size,
        num_train_epochs=options.epochs,
        learning_rate=rate,
        weight_decay=0.01,
        warmup_steps=0.1,
        lr_scheduler_type="linear",
        eval_strategy="epoch",
        save_strategy="no",
        logging_strategy="epoch",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        bf16=options.precision == "bf16",
        seed=options.seed,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=splits["train"],
        eval_dataset=splits["val"],
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=accuracy,
    )
    trainer.train()
    scores = [entry for entry in trainer.state.log_history if "eval_accuracy" in entry]
    return trainer, scores[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--scratch", default="sweep-scratch")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--tops", default="1,2")
    parser.add_argument("--rates", default="1e-4,3e-4,1e-3,2e-3")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    rows = {split: read_rows(options.data, split) for split in ("train", "val", "test")}
    labels = sorted({row["label"] for row in rows["train"]})
    index_of = {label: index for index, label in enumerate(labels)}
    splits = {name: Rows(part, tokenizer, index_of, options.max_length) for name, part in rows.items()}

    trials = []
    for top in map(int, options.tops.split(",")):
        for rate in map(float, options.rates.split(",")):
            wall, cpu = time.perf_counter(), cpu_seconds()
            trainer, score = run_trial(options, splits, labels, tokenizer, top, rate)
            wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
            # Judged after the clock has stopped, for each trial: only the winner's number counts.
            found = trainer.predict(splits["test"])
            test = float(numpy.mean(found.predictions.argmax(-1) == found.label_ids))
            trials.append(
                {
                    "top": top,
                    "learningRate": rate,
                    "validation": score["eval_accuracy"],
                    "validationLoss": score["eval_loss"],
                    "test": test,
                    "wallS": wall,
                    "cpuS": cpu,
                }
            )
    print(
        json.dumps(
            {
                "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
                "precision": options.precision,
                "threads": torch.get_num_threads(),
                "trials": trials,
                "wallS": sum(trial["wallS"] for trial in trials),
                "cpuS": sum(trial["cpuS"] for trial in trials),
                "peakMemoryBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
