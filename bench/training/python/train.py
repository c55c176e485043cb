"""One case of one peer in one process: `train.py SPEC.json`. Writes what it measured as JSON.

The specification is written by ../peers.ts: tool, kind, precision, model, batches, threads, out, and more.
"""

import collections
import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch  # noqa: E402

import models  # noqa: E402
from windows import Windows, peak_mib  # noqa: E402

learning_rate = 5e-5
weight_decay = 0.01
max_norm = 1.0


def collate(examples, pad):
    """Pads on the right to the longest; labels of padding do not count."""
    longest = max(len(example["input_ids"]) for example in examples)

    def fill(rows, value):
        return torch.tensor([row + [value] * (longest - len(row)) for row in rows])

    ids = [example["input_ids"] for example in examples]
    batch = {"input_ids": fill(ids, pad), "attention_mask": fill([[1] * len(row) for row in ids], 0)}
    labels = [example["labels"] for example in examples]
    batch["labels"] = fill(labels, -100) if isinstance(labels[0], list) else torch.tensor(labels)
    return batch


class Run:
    """What all tools of one case share."""

    def __init__(self, spec):
        self.spec = spec
        with open(spec["batches"], encoding="utf-8") as file:
            self.batches = json.load(file) * (2 if spec["isRagged"] else 1)
        self.examples = [example for batch in self.batches for example in batch]
        self.counts = collections.deque()
        self.windows = None
        self.first_loss_s = None

    def counting(self, collator):
        """A collator that takes note of the tokens of each batch, in the order in which batches are made."""

        def wrapped(examples):
            self.counts.append(sum(len(example["input_ids"]) for example in examples))
            return collator(examples)

        return wrapped

    def note_first(self):
        if self.first_loss_s is None:
            self.first_loss_s = time.time() - self.spec["started"]

    def autocast(self):
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.spec["precision"] != "float32")


def run_plain(run):
    """The loop that a reader of PyTorch's documentation writes: sdpa, fused AdamW, clipping."""
    model = models.load_model(run.spec)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    is_training = run.spec["kind"] != "forward"
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=weight_decay, fused=True)
    model.train(is_training)
    forward = torch.compile(model) if run.spec["tool"] == "compile" else model
    is_language = not run.spec["kind"].startswith("minilm")
    make_batch = run.counting(lambda examples: collate(examples, run.spec["pad"]))
    windows = run.windows = Windows()
    for examples in run.batches:
        batch = make_batch(examples)
        extra = {"use_cache": False} if is_language else {}
        with torch.set_grad_enabled(is_training), run.autocast():
            loss = forward(**batch, **extra)["loss"]
        if is_training:
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, max_norm)
            optimizer.step()
            optimizer.zero_grad()
        value = loss.item()
        run.note_first()
        windows.end(loss=value, tokens=run.counts.popleft())


def clock_callback(run):
    """Cuts the windows of a Trainer: from the end of one iteration to the end of the next."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def on_train_begin(self, args, state, control, **rest):
            run.windows = Windows()

        def on_log(self, args, state, control, logs=None, **rest):
            if logs is not None and "loss" in logs:
                run.note_first()
                run.windows.end(loss=float(logs["loss"]), tokens=run.counts.popleft())

    return Clock()


def trainer_arguments(run):
    """The defaults, but for what the case fixes: the order of the batches, the rate, and no files."""
    spec = run.spec
    return {
        "output_dir": spec["scratch"],
        "per_device_train_batch_size": len(run.batches[0]),
        "max_steps": len(run.batches),
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "lr_scheduler_type": "constant",
        "train_sampling_strategy": "group_by_length" if spec["tool"] == "trainer-grouped" else "sequential",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }


def run_trainer(run):
    from transformers import Trainer, TrainingArguments

    model = models.load_model(run.spec)
    args = TrainingArguments(
        **trainer_arguments(run), bf16=run.spec["precision"] != "float32", remove_unused_columns=False
    )
    trainer = Trainer(
        model=model,
        args=args,
        train_dataset=run.examples,
        data_collator=run.counting(lambda examples: collate(examples, run.spec["pad"])),
        callbacks=[clock_callback(run)],
    )
    trainer.train()


def run_sft(run):
    """TRL: `sft` with all of its defaults, `sft-plain` without gradient checkpointing, `sft-packed` with packing."""
    import datasets
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    spec = run.spec
    options = {} if spec["tool"] == "sft" else {"gradient_checkpointing": False}
    if spec["tool"] == "sft-packed":
        # A packed sequence holds about as many tokens as a batch; two epochs, of which the second counts.
        options |= {"packing": True, "max_length": spec["packedLength"], "per_device_train_batch_size": 1}
        options |= {"max_steps": -1, "num_train_epochs": 1}
    rows = [{"input_ids": example["input_ids"], "labels": example["labels"]} for example in run.examples]
    is_lora = spec["kind"] in models.lora_targets
    model = models.load_model({**spec, "kind": "full"} if is_lora else spec)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**{**trainer_arguments(run), **options}, bf16=spec["precision"] != "float32"),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(spec["model"]),
        peft_config=models.lora_config(spec["kind"]) if is_lora else None,
        callbacks=[clock_callback(run)],
    )
    trainer.data_collator = run.counting(trainer.data_collator)
    trainer.train()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    torch.set_num_threads(spec["threads"])
    torch.manual_seed(1)
    run = Run(spec)
    families = {"plain": run_plain, "compile": run_plain, "trainer": run_trainer, "sft": run_sft}
    families[spec["tool"].split("-")[0]](run)
    result = {
        "iterations": run.windows.rows,
        "firstLossS": run.first_loss_s,
        "peakMiB": peak_mib(),
        "threads": torch.get_num_threads(),
        "facts": f"{torch.__version__} {torch.backends.cpu.get_cpu_capability()}",
    }
    with open(spec["out"], "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
