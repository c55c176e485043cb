import { expect, test } from 'vitest';
import { adviseLanguage } from '../src/advise-language.ts';
import type { LanguageObservation } from '../src/advise-language.ts';

const sound: LanguageObservation = {
  trainLoss: 0.9,
  validationLosses: [2, 1.1, 1, 1.01],
  ended: 1,
  epochs: 3,
  learningRate: 3e-4,
  maxNewTokens: 128,
};

test.each<[name: string, changes: Partial<LanguageObservation>, findings: readonly string[]]>([
  ['a sound training', {}, ['none']],
  ['losses that only rise', { validationLosses: [1, 1.2, 1.4] }, ['not-learning']],
  ['a loss that rises again', { validationLosses: [2, 1, 1.2], trainLoss: 0.5 }, ['overfitting']],
  ['a loss that still falls', { validationLosses: [2, 1.5, 1.2] }, ['still-improving']],
  ['answers without an end', { ended: 0.4 }, ['underfitting']],
])('%s', (_, changes, findings) => {
  expect(adviseLanguage({ ...sound, ...changes }).map(({ finding }) => finding)).toEqual(findings);
});
