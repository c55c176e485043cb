import { setTimeout as sleep } from 'node:timers/promises';
import { Rig } from '@joyul/testing';
import { expect, test } from 'vitest';

/** Numbers from 0 to 1 that are the same in every run of the test. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const pipeline = `
name: beat
env: [JOYUL_SCHEDULED_AT]
steps:
  say: { uses: command, with: { run: 'echo "\${{ env.JOYUL_SCHEDULED_AT }}" >> said.txt' }, cache: off }
`;

test(
  'a scheduler that is killed 40 times at any moment runs every time once',
  { timeout: 300_000 },
  async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': pipeline });
    await rig.joyul(
      'schedule',
      'add',
      '--name',
      'beat',
      '--cron',
      '*/2 * * * * *',
      '--catchup',
      'all',
      '--overlap',
      'buffer_all',
    );
    const random = makeRandom(7);
    for (let time = 0; time < 40; time++) {
      const { process: child, finished } = rig.start('schedule', 'start');
      await sleep(300 + random() * 2200);
      child.kill('SIGKILL');
      await finished;
    }
    const last = rig.start('schedule', 'start');
    for (;;) {
      const { stdout } = await rig.joyul('schedule', 'show', 'beat', '--json');
      const { waiting } = JSON.parse(stdout) as { readonly waiting: readonly unknown[] }; // The command's own format.
      if (waiting.length === 0) break;
      await sleep(200);
    }
    last.process.kill('SIGINT');
    await last.finished;
    const said = (await rig.read('said.txt')).trim().split('\n');
    const times = said.map((line) => Date.parse(line)).toSorted((left, right) => left - right);
    const [first = 0] = times;
    expect(times.length).toBeGreaterThan(20);
    expect(times.map((time) => time - first)).toEqual(times.map((_, index) => index * 2000));
  },
);
