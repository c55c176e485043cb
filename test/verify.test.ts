/** `joyul run --verify` and `--locked`, on the real command line. */
import { Rig } from '@joyul/testing';
import type { Finished, ToldEvent } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

/** Each run of `drifts` counts in a file that nothing declares; `steady` and `end` depend on their inputs alone. */
const pipeline = `
name: words
steps:
  steady: { uses: command, with: { run: "echo a; echo steady >> ran; mkdir -p out; echo one > out/one.txt", outputs: { text: out/one.txt } } }
  drifts:
    uses: command
    with:
      run: >-
        echo x >> count; n=$(wc -l < count | tr -d ' '); mkdir -p out/drifts;
        printf 'same\\nline %s\\n' $n > out/drifts/text.txt; printf '\\0%s' $n > out/drifts/bytes.bin;
        echo "{\\"accuracy\\": 0.5, \\"deep\\": {\\"f1\\": $n}}" > out/drifts/metrics.json;
        touch out/drifts/only-$n
      outputs: { text: out/drifts }
    inputs: { inputs: steady.text }
  end: { uses: command, with: { run: "cat $JOYUL_INPUT_0/text.txt > out/end.txt", outputs: { text: out/end.txt } }, inputs: { inputs: drifts.text } }
`;

async function createRig(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': pipeline });
  return rig;
}

const verified = ({ events }: Finished): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    events.flatMap((event) =>
      event.kind === 'step-verified' ? [[event.stepId, event['differing']] as const] : [],
    ),
  );

const differencesOf = ({ events }: Finished, stepId: string): readonly ToldEvent[] =>
  events.find((event) => event.kind === 'step-verified' && event.stepId === stepId)?.[
    'differences'
  ] as readonly ToldEvent[]; // Its format.

describe('--verify', () => {
  test('runs what is stored once more, tells what differs, and leaves with 1', async () => {
    await using rig = await createRig();
    await rig.run();
    const result = await rig.run('--verify');
    expect(result.exitCode).toBe(1);
    expect(result.reused).toEqual(['steady', 'drifts', 'end']);
    expect(verified(result)).toEqual({ steady: 0, drifts: 5, end: 0 });
    expect(differencesOf(result, 'drifts')).toMatchObject([
      { path: 'bytes.bin', before: { sizeBytes: 2 }, after: { sizeBytes: 2 } },
      { path: 'metrics.json', values: [{ key: 'deep.f1', before: 1, after: 2 }], valueCount: 1 },
      { path: 'only-1', before: { sizeBytes: 0 } },
      { path: 'only-2', after: { sizeBytes: 0 } },
      { path: 'text.txt', line: { number: 2, before: 'line 1', after: 'line 2' } },
    ]);
    expect(differencesOf(result, 'drifts')[0]).not.toHaveProperty('line');
  });

  test('keeps the stored result, puts the project back to it, and gives it to later steps', async () => {
    await using rig = await createRig();
    await rig.run();
    await rig.run('--verify');
    expect(await rig.read('out/drifts/text.txt')).toBe('same\nline 1\n');
    expect(rig.has('out/drifts/only-2')).toBe(false);
    expect(await rig.read('out/end.txt')).toBe('same\nline 1\n');
    expect((await rig.run()).reused).toEqual(['steady', 'drifts', 'end']);
  });

  test('looks only at the steps that are named', async () => {
    await using rig = await createRig();
    await rig.run();
    const result = await rig.run('--verify', 'steady,end');
    expect([result.exitCode, verified(result)]).toEqual([0, { steady: 0, end: 0 }]);
    expect(await rig.count('count')).toBe(1);
  });

  test('runs a step without a result twice, and keeps the first', async () => {
    await using rig = await createRig();
    const result = await rig.run('--verify', 'drifts');
    expect([result.exitCode, result.ran, verified(result)]).toEqual([
      1,
      ['steady', 'drifts', 'end'],
      { drifts: 5 },
    ]);
    expect(await rig.count('count')).toBe(2);
    expect(await rig.read('out/end.txt')).toBe('same\nline 1\n');
  });

  test('a step that fails when it is run once more fails, and its result stays', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml':
        'name: p\nsteps:\n  a: { uses: command, with: { run: "echo x > a.txt; test ! -e once || { echo half > a.txt; exit 3; }; touch once", outputs: { text: a.txt } } }\n',
    });
    await rig.run();
    const result = await rig.run('--verify');
    expect([result.exitCode, result.events.at(-1)]).toMatchObject([1, { end: 'failed' }]);
    expect(await rig.read('a.txt')).toBe('x\n');
    expect((await rig.run()).reused).toEqual(['a']);
  });

  test('tells people which lines and metrics differ, and the report has it too', async () => {
    await using rig = await createRig();
    await rig.run();
    const { stderr } = await rig.joyul('run', '--verify');
    expect(stderr).toContain('= steady same: run once more, it gave exactly what is stored');
    expect(stderr).toContain('deep.f1 1 → 2 (+1)');
    expect(stderr).toContain('line 2: line 1\n           → line 2');
    expect(stderr).toContain('Of 3 steps that ran once more, 1 gave other content: drifts.');
    const { stdout } = await rig.joyul('show');
    expect(stdout).toContain('⚠ not reproducible: run once more, it gave 5 other files');
    expect(stdout).toContain('deep.f1 1 → 2 (+1)');
  });

  test('shows in a long line the part that differs, and no secret', async () => {
    await using rig = await Rig.create();
    const filler = 'f'.repeat(300);
    await rig.write({
      'pipeline.yaml': `name: p
secrets: [TOKEN]
steps:
  a:
    uses: command
    environment: { TOKEN: "\${{ secrets.TOKEN }}" }
    with: { run: "echo x >> count; echo ${filler}$(wc -l < count)$TOKEN > a.txt", outputs: { text: a.txt } }
`,
    });
    const withToken = rig.withEnv({ TOKEN: 'tops3cret' });
    await withToken.run();
    const result = await withToken.run('--verify');
    expect(differencesOf(result, 'a')).toMatchObject([
      { line: { before: expect.stringMatching(/^…f{40}\s*1\*\*\*$/) as string } },
    ]);
    expect(result.stdout).not.toContain('tops3cret');
  });
});

describe('--locked', () => {
  test('refuses before anything runs when a step is not as locked', async () => {
    await using rig = await createRig();
    await rig.run();
    await rig.joyul('lock');
    expect((await rig.run('--locked')).exitCode).toBe(0);
    await rig.write({ 'pipeline.yaml': pipeline.replace('echo one', 'echo two') });
    const refused = await rig.joyul('run', '--locked');
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/^steady {2}params\.run changed/);
    expect(refused.stderr).toContain(
      'pipeline.yaml is not as pipeline.lock.yaml has it, and nothing was run.',
    );
    expect(await rig.count('ran')).toBe(1);
  });

  test('needs a lock file, and says how to make one', async () => {
    await using rig = await createRig();
    const refused = await rig.joyul('run', '--locked');
    expect([refused.exitCode, refused.stderr]).toEqual([
      2,
      'There is no pipeline.lock.yaml. `joyul lock pipeline.yaml` makes it after a run.\n',
    ]);
    expect(rig.has('ran')).toBe(false);
  });

  test('looks only at the steps that are to run', async () => {
    await using rig = await createRig();
    await rig.run();
    await rig.joyul('lock');
    await rig.write({ 'pipeline.yaml': pipeline.replace('> out/end.txt"', '> out/end.txt; true"') });
    expect((await rig.run('--locked', '--only', 'steady')).exitCode).toBe(0);
    expect((await rig.run('--locked')).exitCode).toBe(1);
  });
});
