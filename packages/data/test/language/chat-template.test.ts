import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openChatTemplate, readConversation } from '../../src/index.ts';
import type { ChatMessage, ChatTemplate, JsonObject } from '../../src/index.ts';

const fixture = (name: string): Promise<string> =>
  readFile(join(import.meta.dirname, '../fixtures', name), 'utf8');

/** What transformers' apply_chat_template writes: see make-fixtures.py. */
interface Reference {
  readonly tools: readonly JsonObject[];
  readonly messages: readonly object[];
  readonly whole: string;
  readonly asked: string;
  readonly without: string;
}

async function open(files: Readonly<Record<string, string>>): Promise<ChatTemplate> {
  const template = await openChatTemplate(new Map(Object.entries(files)));
  if (template === undefined) throw new Error('There is no template.');
  return template;
}

const readReference = async (): Promise<Reference> => JSON.parse(await fixture('tools.json')) as Reference; // As make-fixtures.py writes it.

function conversation({ messages, tools }: Reference): {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly JsonObject[];
} {
  const result = readConversation(new Map(Object.entries({ messages, tools })), 'openai');
  if (result.messages === undefined) throw new Error(result.problems[0]?.message);
  return { messages: result.messages, tools: result.tools ?? [] };
}

test('tools and their calls are written as transformers writes them', async () => {
  const reference = await readReference();
  const template = await open({ 'chat_template.jinja': await fixture('tools.jinja') });
  const { messages, tools } = conversation(reference);
  expect(template.render(messages, { tools })).toBe(reference.whole);
  expect(template.render(messages.slice(0, 2), { tools, asksForReply: true })).toBe(reference.asked);
  expect(template.render(messages.slice(0, 2), { asksForReply: true })).toBe(reference.without);
});

const plain = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}";

test('a template that does not know tools refuses rows that have them, and writes calls as words', async () => {
  const { messages, tools } = conversation(await readReference());
  const template = await open({ 'chat_template.jinja': plain });
  expect(() => template.render(messages, { tools })).toThrow(
    'The conversation has tools, and the chat template of the model does not write them.',
  );
  expect(template.render(messages.slice(0, 3))).toContain('[assistant][{"id":"call_1","type":"function"');
});

test('a template of its own for tools is taken where a row has some', async () => {
  const settings = {
    chat_template: [
      { name: 'default', template: plain },
      { name: 'tool_use', template: `{{ tools[0].function.name }}:${plain}` },
    ],
  };
  const template = await open({ 'tokenizer_config.json': JSON.stringify(settings) });
  const { messages, tools } = conversation(await readReference());
  expect(template.render(messages.slice(0, 1))).toBe('[system]Be brief.');
  expect(template.render(messages.slice(0, 1), { tools })).toBe('get_weather:[system]Be brief.');
});
