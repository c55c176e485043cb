import { Rig } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

const pipeline = `
name: words
params: { word: one }
steps:
  say: { uses: command, with: { run: "mkdir -p out && printf %s \${{ params.word }} | wc -c | sed 's|.*|{\\"length\\": &}|' > out/metrics.json", outputs: { metrics: out } } }
  end: { uses: command, with: { run: "true" }, inputs: { inputs: say.metrics } }
`;

async function createWords(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': pipeline });
  return rig;
}

describe('init', () => {
  test('makes a project whose pipeline is valid', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'tickets.csv': 'text,label\nwhere is my card,card\n' });
    const made = await rig.joyul('init', 'intents', '--data', 'tickets.csv');
    expect([made.exitCode, made.stderr]).toEqual([0, '']);
    expect(await rig.read('intents/pipeline.yaml')).toContain('source: "../tickets.csv"');
    const checked = await rig.joyul('validate', 'intents/pipeline.yaml');
    expect([checked.exitCode, checked.stdout]).toEqual([0, 'pipeline.yaml is valid: 9 steps.\n']);
  });

  test('changes nothing where a file is in the way', async () => {
    await using rig = await Rig.create();
    const refused = await rig.joyul('init');
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('package.json is in');
    expect(rig.has('pipeline.yaml')).toBe(false);
    expect(await rig.read('package.json')).toBe('{}\n');
  });
});

test('diff joins the field that was changed with the metric that came of it', async () => {
  await using rig = await createWords();
  await rig.run();
  await rig.run('--set', 'word=three');
  const told = await rig.joyul('diff', '--json');
  const { steps } = JSON.parse(told.stdout) as { readonly steps: readonly unknown[] }; // The command's format.
  expect(steps[0]).toMatchObject({
    stepId: 'say',
    state: 'changed',
    changes: [{ field: 'params.run' }],
    metrics: [{ name: 'length', before: 3, after: 5 }],
  });
  const { stdout } = await rig.joyul('diff');
  expect(stdout).toMatch(/length\s+3\s+5\s+↑ \+2\s+\+66\.7 %/);
});

test('diff says when there is nothing to compare', async () => {
  await using rig = await createWords();
  const { exitCode, stderr } = await rig.joyul('diff');
  expect([exitCode, stderr]).toEqual([2, 'There are no two runs to compare yet. `joyul run` makes them.\n']);
});

test('graph draws the edges with their ports', async () => {
  await using rig = await createWords();
  expect((await rig.joyul('graph')).stdout).toContain('s0 -->|"metrics"| s1');
  expect((await rig.joyul('graph', '--format', 'dot')).stdout).toContain('"say" -> "end" [label="metrics"]');
});

test('doctor finds this machine fit, without the network', async () => {
  await using rig = await Rig.create();
  const { exitCode, stdout } = await rig.joyul('doctor', '--offline', '--json');
  const findings = JSON.parse(stdout) as readonly { readonly name: string; readonly state: string }[]; // Its format.
  expect(exitCode).toBe(0);
  expect(findings.find(({ name }) => name === 'Node')?.state).toBe('good');
  expect(rig.has('.joyul')).toBe(false);
});

test('runs and show tell what was run', async () => {
  await using rig = await createWords();
  expect((await rig.joyul('runs')).stdout).toBe('No runs yet. `joyul run` makes one.\n');
  await rig.run();
  expect((await rig.joyul('runs')).stdout).toMatch(/words\s+succeeded\s+0\/2/);
  expect((await rig.joyul('show')).stdout).toContain('# words');
});

test.each([
  [['frobnicate'], 'There is no command "frobnicate".'],
  [['rnu'], 'Did you mean "run"?'],
  [['run', '--jbos', '2'], 'Did you mean --jobs?'],
  [['run', '--jobs', 'many'], '--jobs must be a whole number of at least 1, but is many.'],
  [['run', 'gone.yaml'], 'There is no pipeline file gone.yaml. Here are pipeline.yaml.'],
  [['why', 'sya'], 'Did you mean "say"?'],
  [['show', 'nope'], 'There is no run nope.'],
  [['serve', 'nowhere'], 'nowhere holds no deployed model.'],
])('%j leaves with 2 and says what to type', async (args, message) => {
  await using rig = await createWords();
  const { exitCode, stderr } = await rig.joyul(...args);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(message);
});
