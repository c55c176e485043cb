"""Losses, gradient norms, embeddings and logits of PyTorch and transformers for the tiny encoder; see tiny-encoder.ts.

Dropout draws the numbers of TensorFlow's stateless operations, so that both sides drop the same places.
"""

import json
import sys

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForMaskedLM

torch.manual_seed(0)
folder = sys.argv[1]
WORD = np.uint64(0xFFFFFFFF)


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al. 2011); arrays of uint64 that hold 32 bits."""
    c, k = [np.asarray(x, np.uint64) for x in counter], [np.uint64(x) for x in key]
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        high0, low0, high1, low1 = p0 >> np.uint64(32), p0 & WORD, p1 >> np.uint64(32), p1 & WORD
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + np.uint64(0x9E3779B9)) & WORD, (k[1] + np.uint64(0xBB67AE85)) & WORD]
    return c


def uniform(shape, seed):
    """What tf.random.stateless_uniform gives."""
    size = int(np.prod(shape))
    mix = [int(x) for x in philox([seed[0], 0, seed[1], 0], [0x3EC8F720, 0x02461E29])]
    groups = np.arange((size + 3) // 4, dtype=np.uint64)
    zeros = np.zeros_like(groups)
    words = philox([groups, zeros, zeros + np.uint64(mix[2]), zeros + np.uint64(mix[3])], mix[:2])
    flat = np.stack(words, 1).reshape(-1)[:size] & np.uint64(0x7FFFFF)
    return torch.tensor(flat.astype(np.float32) / np.float32(0x800000)).reshape(shape)


class Places:
    """Replaces torch's dropout: each call of a forward pass is another place."""

    seed, place = 0, 0

    def drop(self, x, p=0.5, training=True, inplace=False):
        if not training:
            return x
        draws = uniform(tuple(x.shape), [self.seed, self.place])
        self.place += 1
        return x * (draws >= p).float() / (1 - p)


places = Places()
torch.nn.functional.dropout = places.drop


def load():
    config = BertConfig.from_pretrained(folder, attn_implementation="eager")
    model = BertForMaskedLM(config)
    stored = load_file(f"{folder}/model.safetensors")
    named = {name if name.startswith("cls.") else f"bert.{name}": value for name, value in stored.items()}
    missing, unexpected = model.load_state_dict(named, strict=False)
    assert not unexpected and set(missing) <= {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}, missing
    model.tie_weights()
    assert torch.equal(model.cls.predictions.decoder.bias, named["cls.predictions.bias"])
    return model


def embed(model, ids, mask):
    states = model.bert(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask.unsqueeze(-1).float()
    return (states * weights).sum(1) / weights.sum(1)


random = np.random.default_rng(1)
BATCH, TIME = 4, 8


def make_batch(filled):
    lengths = [int(random.integers(4, TIME + 1)) for _ in range(filled)]
    ids = np.zeros((BATCH, TIME), np.int64)
    mask = np.zeros((BATCH, TIME), np.int64)
    mask[:, 0] = 1  # As rows without a text are fed.
    for row, length in enumerate(lengths):
        ids[row, :length] = random.integers(5, 40, length)
        mask[row, :length] = 1
    return torch.tensor(ids), torch.tensor(mask)


def contrastive_loss(model, batch, seed):
    ids, mask = batch["ids"], batch["mask"]
    places.seed, places.place = seed, 0
    units = embed(model, ids.repeat(2, 1), mask.repeat(2, 1))
    first, second = units[: batch["filled"]], units[BATCH : BATCH + batch["filled"]]
    cosines = torch.nn.functional.cosine_similarity(first.unsqueeze(1), second.unsqueeze(0), dim=-1)
    return torch.nn.functional.cross_entropy(cosines / 0.05, torch.arange(batch["filled"]))


def masked_loss(model, batch, seed):
    places.seed, places.place = seed, 0
    return model(input_ids=batch["ids"], attention_mask=batch["mask"], labels=batch["labels"]).loss


def train(loss_of, batches):
    model = load().train()
    trained = [p for name, p in model.named_parameters() if loss_of is masked_loss or not name.startswith("cls.")]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01)
    steps = []
    for index, batch in enumerate(batches):
        optimizer.zero_grad()
        loss = loss_of(model, batch, 11 + index)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        steps.append({"seed": 11 + index, "loss": loss.item(), "grad_norm": norm.item()})
    return steps


contrastive = []
for filled in [4, 4, 3, 4, 2]:
    ids, mask = make_batch(filled)
    contrastive.append({"ids": ids, "mask": mask, "filled": filled})
masked = []
for filled in [4, 3, 4, 4]:
    ids, mask = make_batch(filled)
    labels = torch.full_like(ids, -100)
    for row in range(filled):
        place = int(random.integers(1, int(mask[row].sum())))
        labels[row, place] = ids[row, place]
        ids[row, place] = 4
    masked.append({"ids": ids, "mask": mask, "labels": labels})


def as_json(batch, step):
    rows = (batch["labels"].reshape(-1) != -100).nonzero().reshape(-1) if "labels" in batch else None
    words = {} if rows is None else {"rows": rows.tolist(), "words": batch["labels"].reshape(-1)[rows].tolist()}
    filled = {"filled": batch["filled"]} if "filled" in batch else {}
    return {"ids": batch["ids"].reshape(-1).tolist(), "mask": batch["mask"].reshape(-1).tolist(), **filled, **words, **step}


still = load().eval()
with torch.no_grad():
    first = contrastive[0]
    units = torch.nn.functional.normalize(embed(still, first["ids"], first["mask"]), dim=-1)
    logits = still(input_ids=masked[0]["ids"], attention_mask=masked[0]["mask"]).logits
    still_loss = masked_loss(still, masked[0], 0).item()
    chosen = (masked[0]["labels"].reshape(-1) != -100).nonzero().reshape(-1)
json.dump(
    {
        "batch": BATCH,
        "time": TIME,
        "contrastive": [as_json(*pair) for pair in zip(contrastive, train(contrastive_loss, contrastive))],
        "masked": [as_json(*pair) for pair in zip(masked, train(masked_loss, masked))],
        "units": units.reshape(-1).tolist(),
        "logits": logits.reshape(BATCH * TIME, -1)[chosen].reshape(-1).tolist(),
        "stillLoss": still_loss,
    },
    sys.stdout,
)
