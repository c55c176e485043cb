"""Writes tiny random models, adapters and logits with Hugging Face's PEFT, or checks adapters against them.

    python make_peft_fixtures.py make    writes ./fixtures (done once; the files are in the repository)
    python make_peft_fixtures.py check DIR   opens the adapters in DIR/<model>-<adapter> and compares logits

Needs torch, transformers, peft and safetensors.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import BertConfig, LlamaConfig, LlamaForCausalLM

here = Path(__file__).parent
fixtures = here / "fixtures"
ids = torch.tensor([[3, 17, 25, 9, 30, 1], [8, 2, 39, 11, 4, 22]])

llama_config = LlamaConfig(
    vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
    intermediate_size=48, max_position_embeddings=32, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True,
)
bert_config = BertConfig(
    vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
    max_position_embeddings=16, type_vocab_size=2, num_labels=3, hidden_dropout_prob=0, attention_probs_dropout_prob=0,
)
bert_config.joyul = {"pooling": "mean"}


def bert_class():
    """The class that `joyul deploy` exports models under."""
    source = (here / "../../../step-deploy/src/modeling.ts").read_text()
    namespace = {"__name__": "modeling_joyul"}
    exec(source[source.index('"""Masked'):source.rindex("`;")], namespace)
    return namespace["JoyulForSequenceClassification"]


def make_model(name):
    torch.manual_seed(11)
    model = LlamaForCausalLM(llama_config) if name == "llama" else bert_class()(bert_config)
    with torch.no_grad():
        for parameter in model.parameters():
            # Large enough that every part shows in the logits, and exact in half precision.
            parameter.copy_((parameter + 0.15 * torch.randn_like(parameter)).half().float())
    return model.eval()


adapters = {
    "llama-lora": dict(target_modules=["q_proj", "v_proj"]),
    "llama-rslora": dict(target_modules="all-linear", use_rslora=True, rank_pattern={"down_proj": 2}, alpha_pattern={"layers.0.mlp.up_proj": 4}),
    "llama-dora": dict(target_modules=["q_proj", "k_proj", "down_proj"], use_dora=True),
    "llama-block": dict(target_modules=["o_proj", "gate_proj"], layers_to_transform=[1]),
    "bert-lora": dict(target_modules=["query", "value", "intermediate.dense"], task_type="SEQ_CLS", modules_to_save=["classifier"]),
    "bert-dora": dict(target_modules="all-linear", use_dora=True, task_type="SEQ_CLS", modules_to_save=["classifier"]),
}


def logits_of(model):
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits


def make():
    fixtures.mkdir(exist_ok=True)
    logits = {}
    for name in ["llama", "bert"]:
        model = make_model(name)
        state = {key: value.half().contiguous() for key, value in model.state_dict().items() if key != "lm_head.weight"}
        save_file(state, fixtures / f"{name}.safetensors")
        logits[name] = logits_of(model).flatten().tolist()
    for name, options in adapters.items():
        options = {"task_type": "CAUSAL_LM", **options}
        model = get_peft_model(make_model(name.split("-")[0]), LoraConfig(r=4, lora_alpha=6, lora_dropout=0.0, **options))
        torch.manual_seed(5)
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_((parameter + 0.1 * torch.randn_like(parameter)).half().float())
        model.eval()
        model.peft_config["default"].base_model_name_or_path = "tiny"
        model.save_pretrained(fixtures / name)
        (fixtures / name / "README.md").unlink()
        logits[name] = logits_of(model).flatten().tolist()
    (fixtures / "logits.json").write_text(json.dumps({key: [round(x, 6) for x in value] for key, value in logits.items()}))


def check(folder):
    expected = json.loads((fixtures / "logits.json").read_text())
    for name in adapters:
        model = PeftModel.from_pretrained(make_model(name.split("-")[0]), folder / name).eval()
        difference = (logits_of(model).flatten() - torch.tensor(expected[name])).abs().max().item()
        print(f"{name}: logits differ by at most {difference:.1e}")
        assert difference < 1e-4


make() if sys.argv[1] == "make" else check(Path(sys.argv[2]))
