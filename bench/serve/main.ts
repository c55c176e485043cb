/**
 * Measures how many tokens a second a served language model gives to 1 and to 8 clients, beside our own generator with the
 * same number of texts at once, in the same run: what HTTP, the queue and joining cost.
 *
 *   npm run bench:serve -- FOLDER
 */
import { performance } from 'node:perf_hooks';
import { startServer } from '@joyul/serve';
import { openGenerator, openLanguageModel } from '@joyul/training';

const newTokens = 64;
const rounds = 3;
const context = 256;

const [dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('Name the folder of a deployed language model.');

const questionOf = (index: number): string => `Tell me a story about the number ${index}, please.`;

/** The median of some rounds, in tokens a second. */
async function measure(work: () => Promise<number>): Promise<number> {
  await work(); // What is compiled when it is first used.
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    rates.push((1000 * (await work())) / (performance.now() - start));
  }
  return rates.sort((left, right) => left - right)[Math.floor(rounds / 2)] ?? 0;
}

/** The generator by itself: as many texts at once as there are clients. */
async function measureGenerator(folder: string, clients: number): Promise<number> {
  const { model, encoder } = await openLanguageModel(folder);
  const generator = await openGenerator({ model, context, batchSize: clients });
  const prompts = Array.from({ length: clients }, (_, index) =>
    encoder.encodePrompt([{ role: 'user', content: questionOf(index) }]),
  );
  const rate = await measure(async () => {
    const texts = await generator.generate(prompts, { maxNewTokens: newTokens });
    return texts.reduce((sum, { ids }) => sum + ids.length, 0);
  });
  generator.dispose();
  return rate;
}

/** Clients of a server, each of which asks once. */
async function measureServer(folder: string, clients: number): Promise<number> {
  const server = await startServer({ dir: folder, host: '127.0.0.1', port: 0, context, maxBatch: clients });
  const ask = async (index: number): Promise<number> => {
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({
        messages: [{ role: 'user', content: questionOf(index) }],
        temperature: 0,
        max_tokens: newTokens,
      }),
    });
    const { usage } = (await response.json()) as { readonly usage: { readonly completion_tokens: number } }; // OpenAI's format.
    return usage.completion_tokens;
  };
  const rate = await measure(async () => {
    const counts = await Promise.all(Array.from({ length: clients }, (_, index) => ask(index)));
    return counts.reduce((sum, count) => sum + count, 0);
  });
  await server.close();
  return rate;
}

console.log(
  '| clients | served, tokens/s | generator, tokens/s | served / generator |\n| --- | --- | --- | --- |',
);
for (const clients of [1, 8]) {
  const floor = await measureGenerator(dir, clients);
  const served = await measureServer(dir, clients);
  console.log(`| ${clients} | ${served.toFixed(1)} | ${floor.toFixed(1)} | ${(served / floor).toFixed(2)} |`);
}
