import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyLlama } from '@joyul/testing';
import { expect, test } from 'vitest';
import { openGenerator, openLanguageModel } from '../../src/index.ts';
import { encodePrompts } from '../../src/language/prompt-features.ts';
import type { Question } from '../../src/index.ts';

const ask = (text: string): Question => ({
  row: { id: text, text },
  messages: [{ role: 'user', content: text }],
  expected: '',
});

test('the features of a prompt are the state that its next token is chosen from, whatever stands beside it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-features-'));
  try {
    await writeTinyLlama(dir);
    const language = await openLanguageModel(dir);
    const { layers, hiddenSize, vocabSize, rmsNormEpsilon } = language.model.config;
    const questions = ['n1', 'a much longer question', 'n27'].map(ask);
    const features = await encodePrompts(language, questions, { layers: [layers], context: 64, backend: 'cpu' }); // prettier-ignore
    const weights = await language.model.readTensors();
    const norm = weights.get('model.norm.weight')?.data ?? [];
    const table = weights.get('model.embed_tokens.weight')?.data ?? [];
    const generator = await openGenerator({ model: language.model, context: 64, backend: 'cpu' });
    const prompts = questions.map(({ messages }) => language.encoder.encodePrompt(messages));
    const logits = await generator.logits(prompts);
    generator.dispose();
    expect(features.tokens).toEqual(prompts.map(({ length }) => length));
    const states = features.byLayer.get(layers) ?? new Float32Array();
    for (const [row, expected] of logits.entries()) {
      const state = states.subarray(row * hiddenSize, (row + 1) * hiddenSize);
      const scale =
        1 / Math.sqrt(state.reduce((sum, value) => sum + value ** 2, 0) / hiddenSize + rmsNormEpsilon);
      for (let id = 0; id < vocabSize; id += 17) {
        const logit = state.reduce((sum, value, at) => sum + value * scale * (norm[at] ?? 0) * (table[id * hiddenSize + at] ?? 0), 0); // prettier-ignore
        expect(logit).toBeCloseTo(expected[id] ?? Number.NaN, 3);
      }
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});
