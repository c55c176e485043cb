import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Rig, makeChatRows } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const pages = ['README.md', 'README.ko.md', 'CHANGELOG.md'].concat(
  readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
);

describe.each(pages)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');

  test('links to files that are there', () => {
    const targets = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map((match) => match[1] ?? '');
    const missing = targets.filter(
      (target) => !target.includes('://') && !existsSync(join(root, dirname(page), target)),
    );
    expect(missing).toEqual([]);
  });

  test('names commands that there are', async () => {
    await using rig = await Rig.create();
    const { stdout } = await rig.joyul('--help');
    const known = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1]);
    const named = [...text.matchAll(/`joyul ([a-z]+)|joyul -- ([a-z]+)/g)].map(
      (match) => match[1] ?? match[2],
    );
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });
});

/** Whole files in a page: blocks of YAML that begin with a name. */
function readExamples(page: string): Readonly<Record<string, string>> {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = [...text.matchAll(/```yaml\n(# (\S+\.yaml)\n[\s\S]*?)```/g)];
  return Object.fromEntries(blocks.map(([, block = '', name = '']) => [name, block]));
}

test.each(['pipelines.md', 'prompting.md', 'graders.md', 'stages.md'])(
  'every example of docs/%s is a whole file that is valid',
  async (page) => {
    const examples = readExamples(join('docs', page));
    const all = readFileSync(join(root, 'docs', page), 'utf8').match(/```yaml\n/g) ?? [];
    expect(Object.keys(examples)).toHaveLength(all.length);
    await using rig = await Rig.create();
    await rig.write({
      ...examples,
      'data/tickets.csv': 'text,label\nwhere is my card,card\n',
      'data/chats.jsonl': makeChatRows(3),
      'data/texts.jsonl': '',
      'data/general.jsonl': '',
    });
    const results = await Promise.all(
      Object.keys(examples).map(async (name) => [name, await rig.joyul('validate', name)] as const),
    );
    expect(results.map(([name, { exitCode, stderr }]) => [name, exitCode, stderr])).toEqual(
      Object.keys(examples).map((name) => [name, 0, '']),
    );
  },
);

test('every ADR is in the list', () => {
  const list = readFileSync(join(root, 'docs', 'adr', 'README.md'), 'utf8');
  const files = readdirSync(join(root, 'docs', 'adr')).filter((name) => /^\d/.test(name));
  expect(files.filter((name) => !list.includes(name))).toEqual([]);
});
