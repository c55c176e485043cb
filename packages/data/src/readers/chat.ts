import type { ChatMessage, FieldNames, JsonObject, RowShape } from '../row.ts';
import type { FieldProblem } from './field-problem.ts';
import { describeValue, isRecord, parseNested, pointerTo } from './field-problem.ts';
import { readToolCalls, readTools } from './tools.ts';

/** A conversation, or all that keeps a row from being one. */
export type ChatResult =
  | {
      readonly messages: readonly ChatMessage[];
      /** The functions that the assistant may call. */
      readonly tools?: readonly JsonObject[];
      readonly problems?: undefined;
    }
  | { readonly messages?: undefined; readonly problems: readonly FieldProblem[] };

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

/** Text of a message: a string, or a list of text parts as OpenAI has them. */
function readContent(value: unknown, field: string): string | FieldProblem {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return { field, message: `expected a string, but is ${describeValue(value)}.` };
  const texts: string[] = [];
  for (const [index, part] of value.entries()) {
    if (!isRecord(part) || part['type'] !== 'text' || typeof part['text'] !== 'string')
      return {
        field: `${field}/${index}`,
        message: `expected a part with type "text", but is ${describeValue(part)}.`,
      };
    texts.push(part['text']);
  }
  return texts.join('');
}

/** What a turn says beside its words: tool calls, the call that it answers, who speaks. */
function readExtras(
  value: Readonly<Record<string, unknown>>,
  field: string,
): Pick<ChatMessage, 'tool_calls' | 'tool_call_id' | 'name'> | FieldProblem {
  const calls = value['tool_calls'];
  const hasCalls = calls !== undefined && calls !== null && !(Array.isArray(calls) && calls.length === 0);
  const read = hasCalls ? readToolCalls(calls, `${field}/tool_calls`) : undefined;
  if (read?.problem !== undefined) return read.problem;
  const { tool_call_id: id, name } = value;
  return {
    ...(read === undefined ? {} : { tool_calls: read.value }),
    ...(typeof id === 'string' ? { tool_call_id: id } : {}),
    ...(typeof name === 'string' ? { name } : {}),
  };
}

/** The names that a turn's speaker and words have: OpenAI's, or ShareGPT's. */
const keysOf = (turn: Readonly<Record<string, unknown>>): readonly [string, string] =>
  turn['role'] === undefined && turn['from'] !== undefined ? ['from', 'value'] : ['role', 'content'];

function readTurn(given: unknown, field: string): ChatMessage | FieldProblem {
  const value = parseNested(given);
  if (!isRecord(value)) return { field, message: `expected an object, but is ${describeValue(value)}.` };
  const [roleKey, contentKey] = keysOf(value);
  const named = value[roleKey];
  const role = typeof named === 'string' ? roles[named] : undefined;
  if (role === undefined)
    return {
      field: `${field}/${roleKey}`,
      message: `expected one of ${Object.keys(roles).join(', ')}, but is ${describeValue(named)}.`,
    };
  const extras = readExtras(value, field);
  if ('field' in extras) return extras;
  const said = value[contentKey];
  const saysNothing = said === null || said === undefined || said === '';
  const content =
    extras.tool_calls !== undefined && saysNothing
      ? JSON.stringify(extras.tool_calls)
      : readContent(said, `${field}/${contentKey}`);
  if (typeof content !== 'string') return content;
  if (role === 'assistant' && content.trim() === '')
    return {
      field: `${field}/${contentKey}`,
      message: 'the assistant says nothing: there is nothing to learn.',
    };
  const weight = value['weight'];
  // Tables write the weight of turns without one as null.
  if (weight === undefined || weight === null) return { role, content, ...extras };
  if (weight !== 0 && weight !== 1)
    return { field: `${field}/weight`, message: `expected 0 or 1, but is ${describeValue(weight)}.` };
  return { role, content, ...extras, weight };
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

function readTurns(given: unknown, base: string): ChatResult {
  const value = parseNested(given);
  if (!Array.isArray(value))
    return {
      problems: [{ field: base, message: `expected a list of messages, but is ${describeValue(value)}.` }],
    };
  const turns = value.map((turn, index) => readTurn(turn, `${base}/${index}`));
  const problems = turns.filter(isProblem);
  if (problems.length > 0) return { problems };
  const messages = turns.filter((turn): turn is ChatMessage => !isProblem(turn));
  const order = checkOrder(messages, base);
  return order.length > 0 ? { problems: order } : { messages };
}

function readAlpaca(values: ReadonlyMap<string, unknown>): ChatResult {
  const turns: { role: string; content: unknown }[] = [];
  if (typeof values.get('system') === 'string' && values.get('system') !== '')
    turns.push({ role: 'system', content: values.get('system') });
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
        message: `expected a string, but is ${describeValue(values.get(name))}.`,
      });
  if (problems.length > 0) return { problems };
  const input = values.get('input');
  const question = `${String(values.get('instruction'))}${typeof input === 'string' && input !== '' ? `\n${input}` : ''}`;
  turns.push({ role: 'user', content: question }, { role: 'assistant', content: values.get('output') });
  return readTurns(turns, '/history');
}

function readPromptCompletion(values: ReadonlyMap<string, unknown>, names: FieldNames): ChatResult {
  const asTurns = (value: unknown, role: string): unknown[] =>
    Array.isArray(value) ? value : [{ role, content: value }];
  const fields = [names.prompt ?? 'prompt', names.completion ?? 'completion'] as const;
  const [prompt, completion] = fields.map((name) => values.get(name));
  const problems = fields.flatMap((name) => {
    const value = values.get(name);
    if (Array.isArray(value) || (typeof value === 'string' && value.trim() !== '')) return [];
    return [
      { field: pointerTo(name), message: `expected a string or messages, but is ${describeValue(value)}.` },
    ];
  });
  if (problems.length > 0) return { problems };
  return readTurns([...asTurns(prompt, 'user'), ...asTurns(completion, 'assistant')], '/messages');
}

/** The turns of a row, by its shape. */
function readShape(values: ReadonlyMap<string, unknown>, shape: RowShape, names: FieldNames): ChatResult {
  switch (shape) {
    case 'alpaca':
      return readAlpaca(values);
    case 'prompt-completion':
      return readPromptCompletion(values, names);
    default: {
      const field = names.messages ?? (shape === 'sharegpt' ? 'conversations' : 'messages');
      return readTurns(values.get(field), pointerTo(field));
    }
  }
}

/** Makes a conversation of a row: OpenAI's, ShareGPT's, Alpaca's or a prompt with its completion. */
export function readConversation(
  values: ReadonlyMap<string, unknown>,
  shape: RowShape,
  names: FieldNames = {},
): ChatResult {
  const field = names.tools ?? 'tools';
  const given = values.get(field);
  const hasTools = given !== undefined && given !== null && given !== '' && given !== '[]';
  const tools = hasTools ? readTools(given, pointerTo(field)) : undefined;
  const result = readShape(values, shape, names);
  if (tools?.problem !== undefined) return { problems: [...(result.problems ?? []), tools.problem] };
  if (result.messages === undefined) return result;
  const system = values.get(names.system ?? 'system');
  const hasSystem = typeof system === 'string' && system !== '' && shape !== 'alpaca';
  const isTold = result.messages[0]?.role === 'system' || result.messages[0]?.role === 'developer';
  return {
    messages:
      hasSystem && !isTold ? [{ role: 'system', content: system }, ...result.messages] : result.messages,
    ...(tools === undefined || tools.value.length === 0 ? {} : { tools: tools.value }),
  };
}

/** A conversation as one text: what duplicates and lengths are measured on. */
export function formatConversation(messages: readonly ChatMessage[]): string {
  return messages.map((message) => `${message.role}: ${message.content}`).join('\n');
}
