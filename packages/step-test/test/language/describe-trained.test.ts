import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepTrainingTime, writePrompt } from '@joyul/training';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listTrained, nameStrategy } from '../../src/language/describe-trained.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'joyul-trained-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function write(name: string, files: Readonly<Record<string, unknown>>): Promise<string> {
  await mkdir(join(dir, name, 'adapter'), { recursive: true });
  for (const [file, content] of Object.entries(files))
    await writeFile(join(dir, name, file), typeof content === 'string' ? content : JSON.stringify(content));
  return join(dir, name);
}

test('names say how a model was tuned', () => {
  const lora = { method: 'lora', blocks: [], adapters: { variant: 'dora', rank: 4, alpha: 8, dropout: 0, targets: 'all' } } as const; // prettier-ignore
  expect([
    nameStrategy(lora),
    nameStrategy({ method: 'repurpose', blocks: ['layer.28', 'layer.29', 'norm'] }),
    nameStrategy({ method: 'full', blocks: [] }),
  ]).toEqual(['DoRA r=4', 'repurposed: top 2 layers', 'full fine-tuning']);
});

test('each model is listed once, with what it takes beside the base model', async () => {
  const strategy = { method: 'repurpose', blocks: ['layer.1'] };
  const tensor = { sha256Before: 'a', sha256After: 'b', count: 100 };
  const proof = { tensors: [tensor, { ...tensor, sha256After: 'a' }] };
  const one = await write('one', { 'training.json': { strategy }, 'trainability.json': proof });
  const same = await write('same', { 'training.json': { strategy }, 'trainability.json': proof });
  const other = await write('other', {
    'training.json': { strategy, best: 1 },
    'adapter/adapter_config.json': '{}',
    'adapter/adapter_model.safetensors': 'x'.repeat(50),
  });
  const prompt = await write('prompt', {});
  await writePrompt(prompt, { version: 1, instruction: 'Be brief.', shots: 0 });
  await keepTrainingTime(dir, one, 12);
  expect(await listTrained([one, same, other, prompt], dir)).toMatchObject([
    { name: 'repurposed: top 1 layer', kind: 'tuned', diskBytes: 400, trainingSeconds: 12 },
    { name: 'repurposed: top 1 layer (2)', diskBytes: 52 },
    { name: 'searched prompt', kind: 'prompt' },
  ]);
});
