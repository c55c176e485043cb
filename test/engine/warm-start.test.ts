/** A linked pipeline is kept for the next run; whatever may make another one of it must be seen. */
import { readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rig } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

const plugin = (word: string): string => `
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { word } from './word.js';
export default {
  name: 'mine',
  revision: 1,
  summary: 'Writes a word.',
  params: { type: 'object', properties: {}, additionalProperties: false },
  inputs: {},
  outputs: { text: { type: 'files' } },
  runsIn: 'engine',
  run: ({ outputs }) => writeFile(join(outputs.text, 'word.txt'), \`\${word} ${word}\\n\`),
};
`;

const manifest = (name: string, main: string): string =>
  JSON.stringify({ name, version: '1.0.0', type: 'module', main });

/** Everything that decides a graph, each in a file of its own. */
const files = {
  'pipes/pipeline.yaml': `
name: warm
extends: base.yaml
include: [more.yaml]
params: { word: one }
env: { MOOD: calm }
profiles: { loud: { params: { word: LOUD } } }
steps:
  say: { uses: command, with: { run: "echo \${{ params.word }} \${{ params.base }} \${{ env.MOOD }} > said.txt", outputs: { text: said.txt } } }
  mine: { uses: mine }
  sub: { uses: ./sub.yaml }
  all: { uses: command, with: { run: "cat said.txt more.txt sub.txt $JOYUL_INPUT_3/word.txt > all.txt; echo >> count", outputs: { text: all.txt } }, inputs: { inputs: [say.text, more.text, sub.text, mine.text] } }
`,
  'pipes/base.yaml': 'name: base\nparams: { base: first }\nsteps: {}\n',
  'pipes/more.yaml':
    'steps:\n  more: { uses: command, with: { run: "echo more > more.txt", outputs: { text: more.txt } } }\n',
  'pipes/sub.yaml':
    'name: sub\noutputs: { text: say.text }\nsteps:\n  say: { uses: command, with: { run: "echo sub > sub.txt", outputs: { text: sub.txt } } }\n',
  'params.yaml': 'word: filed\n',
  'node_modules/joyul-step-mine/package.json': manifest('joyul-step-mine', 'src/index.js'),
  'node_modules/joyul-step-mine/src/index.js': plugin('code'),
  'node_modules/joyul-step-mine/src/word.js': "export const word = 'mine';\n",
} as const;

async function createWarm(change: Readonly<Record<string, string>> = {}): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ ...files, ...change });
  return rig;
}

const run = (rig: Rig, ...args: readonly string[]): ReturnType<Rig['joyul']> =>
  rig.joyul('run', 'pipes/pipeline.yaml', '--json', ...args);

/** The kept graphs: their names, and when they were written. */
const kept = (rig: Rig): readonly string[] =>
  readdirSync(rig.path('.joyul/graphs')).map(
    (name) => `${name} ${statSync(rig.path(`.joyul/graphs/${name}`)).ctimeMs}`,
  );

/** Runs until a graph is kept and taken. */
async function warmUp(rig: Rig, ...args: readonly string[]): Promise<void> {
  expect((await run(rig, ...args)).exitCode).toBe(0);
  // The second run does not keep it again.
  const graphs = kept(rig);
  expect(graphs).toHaveLength(1);
  expect((await run(rig, ...args)).ran).toEqual([]);
  expect(kept(rig)).toEqual(graphs);
}

const first = 'one first calm\nmore\nsub\nmine code\n';

test('a graph is kept and taken again', async () => {
  await using rig = await createWarm();
  await warmUp(rig);
  expect(await rig.read('all.txt')).toBe(first);
});

/** Each replacement is as long as what it replaces, so that it can also be made with size and times kept. */
const edits: readonly (readonly [what: string, file: keyof typeof files, from: string, to: string])[] = [
  ['the pipeline file', 'pipes/pipeline.yaml', 'word: one', 'word: two'],
  ['a file that it extends', 'pipes/base.yaml', 'first', 'other'],
  ['a file that it includes', 'pipes/more.yaml', 'echo more', 'echo less'],
  ['a pipeline that it uses', 'pipes/sub.yaml', 'echo sub', 'echo bus'],
  ['the code of a plugin', 'node_modules/joyul-step-mine/src/index.js', ' code', ' edit'],
  ['what the code of a plugin imports', 'node_modules/joyul-step-mine/src/word.js', "'mine'", "'ours'"],
];

describe.each(edits)('an edit of %s', (_, file, from, to) => {
  const edited = files[file].replace(from, to);

  /** How the next run ends, and whether its outputs are others. */
  async function look(rig: Rig): Promise<readonly unknown[]> {
    const { exitCode, stderr, ran } = await run(rig);
    return [exitCode, stderr, ran.includes('all'), (await rig.read('all.txt')) !== first];
  }

  const seen = [0, '', true, true];

  test('that keeps size and mtime is seen', async () => {
    await using rig = await createWarm();
    await warmUp(rig);
    await rig.replaceSilently(file, edited);
    expect(await look(rig)).toEqual(seen);
  });

  // A rename does not change the times of what it puts there.
  const isRenamed = file === 'pipes/pipeline.yaml' || file.endsWith('word.js');
  test.runIf(isRenamed)(
    'that puts another file in its place, with the same size and mtime, is seen',
    async () => {
      await using rig = await createWarm();
      await warmUp(rig);
      await rig.write({ 'other.tmp': files[file] });
      const { mtime, atime } = statSync(rig.path(file));
      const { utimes } = await import('node:fs/promises');
      await utimes(rig.path('other.tmp'), atime, mtime);
      await rig.replaceSilently('other.tmp', edited);
      renameSync(rig.path('other.tmp'), rig.path(file));
      expect(await look(rig)).toEqual(seen);
    },
  );
});

test('an edit of the params file is seen', async () => {
  await using rig = await createWarm();
  await warmUp(rig, '--params-file', 'params.yaml');
  expect(await rig.read('said.txt')).toBe('filed first calm\n');
  await rig.replaceSilently('params.yaml', 'word: other\n');
  await run(rig, '--params-file', 'params.yaml');
  expect(await rig.read('said.txt')).toBe('other first calm\n');
});

test.each([
  [['--set', 'word=set'], 'set first calm\n'],
  [['--set', 'steps.say.with.run=echo told > said.txt'], 'told\n'],
  [['--profile', 'loud'], 'LOUD first calm\n'],
  [['--params-file', 'params.yaml'], 'filed first calm\n'],
])('%j is seen, and so is its absence', async (flags, said) => {
  await using rig = await createWarm();
  await warmUp(rig);
  await run(rig, ...flags);
  await run(rig, ...flags);
  expect(await rig.read('said.txt')).toBe(said);
  await run(rig);
  expect(await rig.read('all.txt')).toBe(first);
});

test('another seed is seen', async () => {
  await using rig = await createWarm();
  await warmUp(rig);
  expect((await run(rig, '--seed', '7')).ran).toContain('mine');
});

test('a value of the environment that the pipeline reads is seen, also when it goes away', async () => {
  await using rig = await createWarm();
  await warmUp(rig);
  await run(rig.withEnv({ MOOD: 'wild' }));
  expect(await rig.read('said.txt')).toBe('one first wild\n');
  await run(rig);
  expect(await rig.read('said.txt')).toBe('one first calm\n');
});

test('one that it does not read is not', async () => {
  await using rig = await createWarm();
  await warmUp(rig);
  const before = kept(rig);
  await run(rig.withEnv({ OTHER: 'wild' }));
  expect(kept(rig)).toEqual(before);
});

describe('a plugin', () => {
  const other = {
    'src/index.js': plugin('nearer'),
    'src/word.js': "export const word = 'mine';\n",
  };

  test('that appears under a name that is looked for first is seen', async () => {
    await using rig = await createWarm();
    await warmUp(rig);
    await rig.write({
      'node_modules/@joyul/step-mine/package.json': manifest('@joyul/step-mine', 'src/index.js'),
      'node_modules/@joyul/step-mine/src/index.js': other['src/index.js'],
      'node_modules/@joyul/step-mine/src/word.js': other['src/word.js'],
    });
    await run(rig);
    expect(await rig.read('all.txt')).toContain('mine nearer\n');
  });

  test('that goes away is told', async () => {
    await using rig = await createWarm();
    await warmUp(rig);
    await rig.remove('node_modules/joyul-step-mine');
    const { exitCode, stdout } = await run(rig);
    expect([exitCode, stdout.includes('PLUGIN_UNKNOWN')]).toEqual([2, true]);
  });

  test('of another version is seen', async () => {
    await using rig = await createWarm();
    await warmUp(rig);
    await rig.replaceSilently(
      'node_modules/joyul-step-mine/package.json',
      files['node_modules/joyul-step-mine/package.json'].replace('1.0.0', '1.0.1'),
    );
    expect((await run(rig)).ran).toContain('mine');
  });

  test('gets a file more: its code is another', async () => {
    await using rig = await createWarm();
    await warmUp(rig);
    await rig.write({ 'node_modules/joyul-step-mine/src/deep/more.js': 'export {};\n' });
    expect((await run(rig)).ran).toContain('mine');
  });

  test.each(['index.js', 'lib/index.js', 'dist/index.js'])(
    'with its code at %s: an edit is seen',
    async (main) => {
      const at = (name: string): string => `node_modules/joyul-step-mine/${main.replace('index.js', name)}`;
      await using rig = await createWarm({
        [at('index.js')]: plugin('code'),
        [at('word.js')]: "export const word = 'mine';\n",
      });
      await rig.remove('node_modules/joyul-step-mine/src');
      await rig.write({ 'node_modules/joyul-step-mine/package.json': manifest('joyul-step-mine', main) });
      await warmUp(rig);
      expect(await rig.read('all.txt')).toBe(first);
      await rig.replaceSilently(at('word.js'), "export const word = 'ours';\n");
      expect((await run(rig)).ran).toContain('mine');
      expect(await rig.read('all.txt')).toContain('ours code\n');
    },
  );
});

describe('damage costs time only', () => {
  const harms: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    'a bit flipped in its middle': (bytes) => {
      const at = Math.floor(bytes.length / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    },
    'cut in half': (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2)),
    empty: () => Buffer.alloc(0),
    'of something else': () => Buffer.from('{"key": 1}'),
  };

  test.each(
    ['graphs', 'last'].flatMap((folder) => Object.keys(harms).map((harm) => [folder, harm] as const)),
  )('%s: %s', async (folder, harm) => {
    await using rig = await createWarm();
    await warmUp(rig);
    for (const name of readdirSync(rig.path(`.joyul/${folder}`))) {
      const file = rig.path(`.joyul/${folder}/${name}`);
      writeFileSync(file, harms[harm]?.(readFileSync(file)) ?? '');
    }
    const result = await run(rig);
    expect([result.exitCode, result.stderr, result.ran]).toEqual([0, '', []]);
    expect(await rig.read('all.txt')).toBe(first);
    // It is as fast as before again.
    await sleep(60);
    await run(rig);
    const graphs = kept(rig);
    await run(rig);
    expect(kept(rig)).toEqual(graphs);
  });
});
