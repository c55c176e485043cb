import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runOrder } from '../../src/execute/run-order.ts';

test('a signal that was given before its plugin is loaded ends an attempt before it begins', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-order-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const entry = join(dir, 'plugin.mjs');
  await writeFile(entry, `export default { run: ({ emit }) => emit({ type: 'finding', text: 'ran' }) };\n`);
  const order = {
    entry,
    stepId: 'a',
    params: {},
    inputs: {},
    outputs: {},
    scratch: dir,
    projectDir: dir,
    downloadDir: dir,
    sharedDir: dir,
    seed: 1,
    env: {},
    devices: {},
  };
  const told: unknown[] = [];
  const run = (signal: AbortSignal): Promise<void> =>
    runOrder(order, signal, {
      emit: (event) => told.push(event),
      takePrefix: () => Promise.resolve({}),
    });
  const controller = new AbortController();
  const late = run(controller.signal);
  controller.abort(new Error('The run was cancelled.'));
  await expect(late).rejects.toThrow('The run was cancelled.');
  expect(told).toEqual([]);
  await run(new AbortController().signal);
  expect(told).toEqual([{ type: 'finding', text: 'ran' }]);
});
