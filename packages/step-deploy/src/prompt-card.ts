/** How the model card shows a prompt. */
import type { ChatMessage } from '@joyul/data';
import { makeAsk } from '@joyul/training';
import type { Endpoint, Prompt } from '@joyul/training';

const shownCharacters = 400;

/** A turn as a quotation; long ones are cut. */
function quote({ role, content }: ChatMessage): readonly string[] {
  const text = content.length > shownCharacters ? `${content.slice(0, shownCharacters)} …` : content;
  return [`> **${role}**`, ...text.split('\n').map((line) => `> ${line}`), '>'];
}

/** The prompt, as it looks around a question. */
export function formatPrompt(prompt: Prompt): readonly string[] {
  const { instruction, shots, examples = [] } = prompt;
  const choice =
    shots === 0
      ? 'No examples are shown'
      : `Before the question ${shots} of ${examples.length} examples are shown, those whose last turns are most similar (TF-IDF of words), the most similar last`;
  const [example] = examples;
  const question: ChatMessage = {
    role: 'user',
    content: example?.messages.at(-1)?.content ?? '(the question)',
  };
  return [
    '## The prompt',
    '',
    `${choice}; ${instruction === '' ? 'there is no instruction' : 'the instruction takes the place of any system message'}. \`prompt.json\` holds all of it. A question looks so:`,
    '',
    ...makeAsk(
      prompt,
      examples.slice(1),
    )({ messages: [question] })
      .flatMap(quote)
      .slice(0, -1),
    '',
  ];
}

/** Python that puts the prompt around a question. */
export function formatPromptUsage({ instruction, shots }: Prompt): readonly string[] {
  const system =
    instruction === '' ? [] : ['messages.append({"role": "system", "content": prompt["instruction"]})'];
  const shown =
    shots === 0
      ? []
      : [
          '# The most similar examples serve best; these are the first.',
          'for example in prompt["examples"][:prompt["shots"]]:',
          '    messages += [*example["messages"], {"role": "assistant", "content": example["expected"]}]',
        ];
  return [
    'prompt = json.load(open("prompt.json"))',
    'messages = []',
    ...system,
    ...shown,
    'messages.append({"role": "user", "content": "a question"})',
  ];
}

/** Python that asks an endpoint. */
export function formatEndpointUsage(prompt: Prompt, { url, model }: Endpoint): readonly string[] {
  return [
    'import json',
    'from openai import OpenAI',
    '',
    ...formatPromptUsage(prompt),
    `client = OpenAI(base_url=${JSON.stringify(url)})`,
    `reply = client.chat.completions.create(model=${JSON.stringify(model)}, messages=messages, temperature=0)`,
    'print(reply.choices[0].message.content)',
  ];
}
