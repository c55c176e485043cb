import type { Session } from '@joyul/compute';
import type { TrainingTask } from '../training-task.ts';
import type { BatchLayout } from './batch-layout.ts';
import { padLanguageBatch } from './language-batch.ts';
import type { LanguageBatch, LanguageExample } from './language-batch.ts';
import type { LanguageEvaluation } from './language-options.ts';
import { languageEntries, suffixOf } from './language-program.ts';
import type { Sampler } from './sample-answers.ts';

/** What a language model's task is made of. */
export interface LanguageParts {
  readonly session: Session;
  readonly layout: BatchLayout;
  readonly train: readonly LanguageExample[];
  readonly validation: readonly LanguageExample[];
  /** At its peak. */
  readonly learningRate: number;
  /** Gives answers that are kept with an evaluation, where some are due; absent: none ever are. */
  readonly sample?: Sampler;
}

/** Training and measuring a language model. */
export function makeLanguageTask({
  session,
  layout,
  train,
  validation,
  learningRate,
  sample,
}: LanguageParts): TrainingTask<LanguageBatch, LanguageEvaluation> {
  return {
    makeEpoch: (seed) => layout.makeEpoch(seed),
    suffixOf: ({ shape }) => suffixOf(shape),
    inputsOf: (batch) => Promise.resolve(padLanguageBatch(batch, train)),
    ratesAt: (factor) => ({ learningRate: learningRate * factor }),
    async evaluate(at, before) {
      let total = 0;
      let count = 0;
      for (const batch of layout.validation) {
        const inputs = padLanguageBatch(batch, validation);
        const outputs = await session.run(languageEntries.evaluate(batch.shape), inputs);
        total += outputs['total']?.[0] ?? Number.NaN;
        count += outputs['weight']?.[0] ?? Number.NaN;
      }
      const loss = total / count;
      const evaluation = { ...at, loss, perplexity: Math.exp(loss) };
      const samples = await sample?.(at, before);
      return samples === undefined ? evaluation : { ...evaluation, samples };
    },
    isBetter: (left, right) => left.loss < right.loss,
  };
}
