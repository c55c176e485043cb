import { constants } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeRandom, readDataset } from '@joyul/data';
import { bootstrapInterval } from '@joyul/metrics';
import type { Context } from './context.ts';
import { decide, formatMean } from './decide.ts';
import type { Decision, Judgement, Side } from './decide.ts';
import { judge } from './judge.ts';

function tell({ emit, seed }: Context, judgement: Judgement, decision: Decision): void {
  const { metric, values, unit } = judgement;
  emit({ type: 'finding', weight: 'headline', text: decision.text });
  const row = (name: string, side: Side): readonly string[] => {
    const own = values[side];
    const { low, high } = bootstrapInterval(
      own.length,
      (rows) => rows.reduce((sum, at) => sum + (own[at] ?? 0), 0) / own.length,
      { random: makeRandom(seed) },
    );
    const interval = [low, high].map((value) => formatMean(value, judgement)).join(' – ');
    return [
      decision.kept === side ? `${name} (kept)` : name,
      formatMean(decision.means[side], judgement),
      interval,
    ];
  };
  emit({
    type: 'table',
    title: `On the same ${values.candidate.length} validation ${unit}`,
    columns: ['', metric, '95 % interval'],
    rows: [row('candidate, with the extra stage', 'candidate'), row('simpler, without', 'simpler')],
  });
  emit({
    type: 'finding',
    text: `The candidate is better on ${decision.better} ${unit} and worse on ${decision.worse}.`,
  });
}

/** Judges, keeps one of the models, and says why. */
export async function runChoose(context: Context): Promise<void> {
  const { params, inputs, outputs, seed } = context;
  const judgement = await judge(await readDataset(inputs.dataset), context);
  const decision = decide(judgement, params.alpha, () => makeRandom(seed));
  // Blocks are shared where the file system can: models are large.
  await cp(inputs[decision.kept], outputs.trained, { recursive: true, mode: constants.COPYFILE_FICLONE });
  const { text: verdict, better, worse, gainInterval, ...rest } = decision;
  const content = {
    version: 1,
    split: 'validation',
    metric: judgement.metric,
    rows: judgement.values.candidate.length,
    alpha: params.alpha,
    ...rest,
    gain_interval: gainInterval,
    better,
    worse,
    verdict,
  };
  await writeFile(join(outputs.metrics, 'metrics.json'), `${JSON.stringify(content, null, 2)}\n`);
  tell(context, judgement, decision);
}
