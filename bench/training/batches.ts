/** The batches that both sides read. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeRandom, openTokenizer } from '@joyul/data';
import { isDecoding } from './cases.ts';
import type { Case } from './cases.ts';
import type { Models } from './models.ts';
import type { Example, Kind } from './spec.ts';
import type { Conversation } from './texts.ts';
import { intentCount, makeConversations } from './texts.ts';

/** One file of batches and what has to be known about it. */
export interface BatchFile {
  readonly file: string;
  readonly model: string;
  readonly pad: number;
  readonly classes: number;
}

const languageBatch = 4;
const languageTime = 128;
/** Of a prompt, whose answer is generated. */
const promptTime = 40;
const encoderBatch = 16;
const encoderTime = 64;
const raggedBatches = 16;
/** SmolLM2's; padding does not count, and MiniLM's is 0. */
const languagePad = 2;

function cut<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.floor(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** Texts in a batch and tokens in a text. */
function shapeOf(kind: Kind): readonly [number, number] {
  if (kind === 'minilm') return [encoderBatch, encoderTime];
  if (isDecoding(kind)) return [kind === 'decode' ? 1 : 8, promptTime];
  return [languageBatch, languageTime];
}

/** Full-length texts of random tokens. */
function makeEqual(kind: Kind, iterations: number): readonly (readonly Example[])[] {
  const random = makeRandom(3);
  const draw = (least: number, most: number): number => least + Math.floor(random() * (most - least));
  const isEncoder = kind === 'minilm';
  const [batch, time] = shapeOf(kind);
  const examples = Array.from({ length: iterations * batch }, () => {
    const ids = Array.from({ length: time }, () => (isEncoder ? draw(1000, 29_000) : draw(3, 49_000)));
    return { input_ids: ids, labels: isEncoder ? draw(0, intentCount) : ids };
  });
  return cut(examples, batch);
}

/** A file of `{"messages": [{"role", "content"}, …]}` rows: the last message is the assistant's. */
function readConversations(file: string): readonly Conversation[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const { messages } = JSON.parse(line) as { readonly messages: readonly { readonly content: string }[] }; // As the usage says.
      const [user, assistant] = messages.slice(-2);
      return { user: user?.content ?? '', assistant: assistant?.content ?? '', intent: 0 };
    });
}

/** Tokens with labels on the assistant's words and the token that ends them, in SmolLM2's chat format. */
async function encodeChats(model: string, chats: readonly Conversation[]): Promise<readonly Example[]> {
  const tokenizer = await openTokenizer(model);
  const most = 512;
  return chats.map(({ user, assistant }) => {
    const prompt = tokenizer.encode(
      `<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\n${user}<|im_end|>\n<|im_start|>assistant\n`,
      most,
    ).ids;
    const reply = tokenizer.encode(`${assistant}<|im_end|>\n`, most).ids;
    const labels = [...prompt.map(() => -100), ...reply.slice(0, -1), -100];
    return { input_ids: [...prompt, ...reply], labels };
  });
}

async function makeRagged(
  kind: Kind,
  models: Models,
  data: string | undefined,
): Promise<readonly (readonly Example[])[]> {
  if (kind !== 'minilm') {
    const count = raggedBatches * languageBatch;
    const chats = data === undefined ? makeConversations(count) : readConversations(data).slice(0, count);
    return cut(await encodeChats(models.language, chats), languageBatch);
  }
  const tokenizer = await openTokenizer(models.encoder);
  const examples = makeConversations(raggedBatches * encoderBatch).map(({ user, intent }) => ({
    input_ids: [...tokenizer.encode(user, encoderTime).ids],
    labels: intent,
  }));
  return cut(examples, encoderBatch);
}

/** Writes the batches of a case. */
export async function writeBatches(
  options: { readonly folder: string; readonly iterations: number; readonly data: string | undefined },
  models: Models,
  { kind, workload }: Case,
): Promise<BatchFile> {
  const batches =
    workload === 'equal' ? makeEqual(kind, options.iterations) : await makeRagged(kind, models, options.data);
  const file = join(options.folder, `${kind}-${workload}.json`);
  writeFileSync(file, JSON.stringify(batches));
  return kind === 'minilm'
    ? { file, model: models.encoder, pad: 0, classes: intentCount }
    : { file, model: models.language, pad: languagePad, classes: 0 };
}
