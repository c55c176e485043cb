/** What the model is shown so that it writes a question and its answer. */
import type { ChatMessage, Row } from '@joyul/data';
import { shuffle } from '@joyul/data';
import { SimilarTexts } from '@joyul/metrics';

/** A question and its answer. */
export interface Pair {
  readonly question: string;
  readonly answer: string;
}

/** An example, with the text that it is about. */
interface Shown {
  readonly pair: Pair;
  readonly text?: string;
}

/** One thing for the model to write. */
export interface Assignment {
  /** The text that it is to ask about; absent where it writes from examples alone. */
  readonly text?: string;
  readonly shown: readonly Shown[];
}

const fromText = (text: string): string => `${text}\n\nWrite a question about this text, and its answer.`;
const fromNothing = 'Write a question, and its answer.';
const formatPair = ({ question, answer }: Pair): string => `Question: ${question}\nAnswer: ${answer}`;

/** Reads a question and its answer as examples show them; undefined where it is anything else. */
export function parsePair(written: string): Pair | undefined {
  const [, question, answer] = /^\s*Question:\s*(\S[^\n]*?)\s*\nAnswer:\s*(\S.*?)\s*$/su.exec(written) ?? [];
  if (question === undefined || answer === undefined || answer.includes('\nQuestion:')) return undefined;
  return { question, answer };
}

/** Rows as pairs: conversations of one question and one answer. */
export function pairsOf(rows: readonly Row[]): readonly Pair[] {
  return rows.flatMap(({ messages = [] }) => {
    const turns = messages.filter(({ role }) => role !== 'system' && role !== 'developer');
    const [asked, said] = turns;
    return turns.length === 2 && asked?.role === 'user' && said?.role === 'assistant'
      ? [{ question: asked.content, answer: said.content }]
      : [];
  });
}

/** What to write from. */
export interface Material {
  readonly examples: readonly Pair[];
  /** Empty where the model writes from examples alone. */
  readonly texts: readonly string[];
  readonly shots: number;
  readonly count: number;
}

/** The examples, each with the text that is most like it: a training question does not say what it is about. */
function addTexts(examples: readonly Pair[], texts: readonly string[]): readonly Shown[] {
  if (texts.length === 0) return examples.map((pair) => ({ pair }));
  const similar = new SimilarTexts(texts);
  return examples.map((pair) => {
    const text = texts[similar.find(`${pair.question} ${pair.answer}`, 1)[0] ?? -1];
    return { pair, ...(text === undefined ? {} : { text }) };
  });
}

/** The assignments: other examples are shown each time, and texts come in turn. */
export function assign(
  { examples, texts, shots, count }: Material,
  random: () => number,
): readonly Assignment[] {
  const all = addTexts(examples, texts);
  let order: readonly string[] = [];
  return Array.from({ length: count }, (_, at) => {
    if (texts.length > 0 && at % texts.length === 0) order = shuffle(texts, random);
    const text = order[at % Math.max(1, texts.length)];
    return { ...(text === undefined ? {} : { text }), shown: shuffle(all, random).slice(0, shots) };
  });
}

const turn = (asked: string, said: string): readonly ChatMessage[] => [
  { role: 'user', content: asked },
  { role: 'assistant', content: said },
];

/** What is said to the model so that it writes a question and its answer. */
export function askToWrite({ text, shown }: Assignment): readonly ChatMessage[] {
  const askFor = (about: string | undefined): string => (about === undefined ? fromNothing : fromText(about));
  return [
    ...shown.flatMap((item) => turn(askFor(item.text), formatPair(item.pair))),
    { role: 'user', content: askFor(text) },
  ];
}

/** How the model is asked what it wrote itself, with the text at hand where there is one. */
export function askAgain({ question }: Pair, { text, shown }: Assignment): readonly ChatMessage[] {
  const askFor = (about: string | undefined, asked: string): string =>
    about === undefined ? asked : `${about}\n\n${asked}`;
  return [
    ...shown.flatMap((item) => turn(askFor(item.text, item.pair.question), item.pair.answer)),
    { role: 'user', content: askFor(text, question) },
  ];
}
