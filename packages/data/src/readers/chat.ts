import type { ChatMessage, RowShape } from '../row.ts';

/** Something wrong inside one row; `field` is a JSON pointer. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** A conversation, or all that keeps a row from being one. */
export type ChatResult =
  | { readonly messages: readonly ChatMessage[]; readonly problems?: undefined }
  | { readonly messages?: undefined; readonly problems: readonly FieldProblem[] };

/** The fields that make a row one of the known shapes. */
const shapeFields: readonly (readonly [RowShape, readonly string[]])[] = [
  ['chat', ['messages']],
  ['sharegpt', ['conversations']],
  ['alpaca', ['instruction', 'output']],
  ['prompt-completion', ['prompt', 'completion']],
];

/** Shapes that are known and not trained on. */
const refusedFields: readonly (readonly [string, readonly string[]])[] = [
  ['a preference pair', ['chosen', 'rejected']],
  ['a preference pair', ['preferred_output', 'non_preferred_output']],
  ['a row of token ids', ['input_ids']],
];

const hasAll = (names: readonly string[], wanted: readonly string[]): boolean =>
  wanted.every((name) => names.includes(name));

/**
 * The shape of a row with these fields, or the reason why none can be chosen.
 *
 * A row that fits two shapes is refused, since training on the wrong half would look healthy.
 */
export function detectShape(
  names: readonly string[],
  fields: { readonly hasText: boolean; readonly hasLabel: boolean },
): RowShape | { readonly reason: string } {
  const fits = shapeFields.filter(([, wanted]) => hasAll(names, wanted)).map(([shape]) => shape);
  if (fields.hasText && fits.length > 0) fits.push(fields.hasLabel ? 'classification' : 'text');
  if (fits.length > 1)
    return { reason: `This row fits ${fits.join(' and ')} at once. Set format to the one that is meant.` };
  const [shape] = fits;
  if (shape !== undefined) return shape;
  const refused = refusedFields.find(([, wanted]) => hasAll(names, wanted));
  if (refused !== undefined)
    return { reason: `This is ${refused[0]} (${refused[1].join(', ')}), which no step here trains on.` };
  return fields.hasLabel ? 'classification' : 'text';
}

const roles: Readonly<Record<string, ChatMessage['role']>> = {
  system: 'system',
  developer: 'developer',
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
  model: 'assistant',
  tool: 'tool',
  observation: 'tool',
  function_call: 'assistant',
};

const describe = (value: unknown): string =>
  value === undefined ? 'missing' : (JSON.stringify(value) ?? 'missing').slice(0, 60);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Text of a message: a string, or a list of text parts as OpenAI has them. */
function readContent(value: unknown, field: string): string | FieldProblem {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return { field, message: `expected a string, but is ${describe(value)}.` };
  const texts: string[] = [];
  for (const [index, part] of value.entries()) {
    if (!isRecord(part) || part['type'] !== 'text' || typeof part['text'] !== 'string')
      return {
        field: `${field}/${index}`,
        message: `expected a part with type "text", but is ${describe(part)}.`,
      };
    texts.push(part['text']);
  }
  return texts.join('');
}

function readTurn(
  value: unknown,
  field: string,
  keys: readonly [string, string],
): ChatMessage | FieldProblem {
  if (!isRecord(value)) return { field, message: `expected an object, but is ${describe(value)}.` };
  const [roleKey, contentKey] = keys;
  const named = value[roleKey];
  const role = typeof named === 'string' ? roles[named] : undefined;
  if (role === undefined)
    return {
      field: `${field}/${roleKey}`,
      message: `expected one of ${Object.keys(roles).join(', ')}, but is ${describe(named)}.`,
    };
  const hasCall = Array.isArray(value['tool_calls']);
  const content =
    hasCall && (value[contentKey] === null || value[contentKey] === undefined)
      ? JSON.stringify(value['tool_calls'])
      : readContent(value[contentKey], `${field}/${contentKey}`);
  if (typeof content !== 'string') return content;
  if (role === 'assistant' && content.trim() === '')
    return {
      field: `${field}/${contentKey}`,
      message: 'the assistant says nothing: there is nothing to learn.',
    };
  const weight = value['weight'];
  if (weight === undefined) return { role, content };
  if (weight !== 0 && weight !== 1)
    return { field: `${field}/weight`, message: `expected 0 or 1, but is ${describe(weight)}.` };
  return { role, content, weight };
}

const isProblem = (turn: ChatMessage | FieldProblem): turn is FieldProblem => 'field' in turn;

/** What the order of the turns breaks: instructions come first, and the assistant has the last word. */
function checkOrder(messages: readonly ChatMessage[], base: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  messages.forEach((message, index) => {
    const isLate = (message.role === 'system' || message.role === 'developer') && index > 0;
    if (isLate && messages[index - 1]?.role !== 'system')
      problems.push({
        field: `${base}/${index}/role`,
        message: `a ${message.role} message must come first.`,
      });
    if (index > 0 && message.role === 'user' && messages[index - 1]?.role === 'user')
      problems.push({ field: `${base}/${index}/role`, message: 'two user messages follow each other.' });
  });
  const last = messages.length - 1;
  if (messages[last]?.role !== 'assistant')
    problems.push({
      field: last < 0 ? base : `${base}/${last}/role`,
      message:
        last < 0
          ? 'the conversation is empty.'
          : `the last message must be the assistant's, but is the ${messages[last]?.role ?? ''}'s.`,
    });
  if (last >= 0 && !messages.some((message) => message.role === 'assistant' && message.weight !== 0))
    problems.push({ field: base, message: 'no assistant message counts in the loss.' });
  return problems;
}

function readTurns(value: unknown, base: string, keys: readonly [string, string]): ChatResult {
  if (!Array.isArray(value))
    return {
      problems: [{ field: base, message: `expected a list of messages, but is ${describe(value)}.` }],
    };
  const turns = value.map((turn, index) => readTurn(turn, `${base}/${index}`, keys));
  const problems = turns.filter(isProblem);
  if (problems.length > 0) return { problems };
  const messages = turns.filter((turn): turn is ChatMessage => !isProblem(turn));
  const order = checkOrder(messages, base);
  return order.length > 0 ? { problems: order } : { messages };
}

function readAlpaca(values: ReadonlyMap<string, unknown>): ChatResult {
  const turns: { role: string; content: unknown }[] = [];
  if (typeof values.get('system') === 'string') turns.push({ role: 'system', content: values.get('system') });
  const problems: FieldProblem[] = [];
  const history = values.get('history');
  if (Array.isArray(history)) {
    for (const pair of history)
      if (Array.isArray(pair))
        turns.push({ role: 'user', content: pair[0] }, { role: 'assistant', content: pair[1] });
  }
  for (const name of ['instruction', 'output'])
    if (typeof values.get(name) !== 'string')
      problems.push({
        field: `/${name}`,
        message: `expected a string, but is ${describe(values.get(name))}.`,
      });
  if (problems.length > 0) return { problems };
  const input = values.get('input');
  const question = `${String(values.get('instruction'))}${typeof input === 'string' && input !== '' ? `\n${input}` : ''}`;
  turns.push({ role: 'user', content: question }, { role: 'assistant', content: values.get('output') });
  return readTurns(turns, '/history', ['role', 'content']);
}

function readPromptCompletion(values: ReadonlyMap<string, unknown>): ChatResult {
  const asTurns = (value: unknown, role: string): unknown[] =>
    Array.isArray(value) ? value : [{ role, content: value }];
  for (const name of ['prompt', 'completion']) {
    const value = values.get(name);
    if (typeof value !== 'string' && !Array.isArray(value))
      return {
        problems: [
          { field: `/${name}`, message: `expected a string or messages, but is ${describe(value)}.` },
        ],
      };
  }
  return readTurns(
    [...asTurns(values.get('prompt'), 'user'), ...asTurns(values.get('completion'), 'assistant')],
    '/messages',
    ['role', 'content'],
  );
}

/** Makes a conversation of a row: OpenAI's, ShareGPT's, Alpaca's or a prompt with its completion. */
export function readConversation(values: ReadonlyMap<string, unknown>, shape: RowShape): ChatResult {
  switch (shape) {
    case 'sharegpt': {
      const result = readTurns(values.get('conversations'), '/conversations', ['from', 'value']);
      const system = values.get('system');
      if (result.messages === undefined || typeof system !== 'string' || system === '') return result;
      return { messages: [{ role: 'system', content: system }, ...result.messages] };
    }
    case 'alpaca':
      return readAlpaca(values);
    case 'prompt-completion':
      return readPromptCompletion(values);
    default:
      return readTurns(values.get('messages'), '/messages', ['role', 'content']);
  }
}

/** A conversation as one text: what duplicates and lengths are measured on. */
export function formatConversation(messages: readonly ChatMessage[]): string {
  return messages.map((message) => `${message.role}: ${message.content}`).join('\n');
}
