import { isLocalReference } from '@joyul/sources';
import type { Issue } from '@joyul/plugin-api';
import { defineStep } from '@joyul/plugin-api';
import type { PrepareParams } from './params.ts';
import { paramsSchema } from './params.ts';
import { listOf } from './references.ts';
import { prepare } from './run.ts';

const references = (params: PrepareParams): readonly string[] => [
  ...listOf(params.source),
  ...listOf(params.unlabelled),
  ...listOf(params.tokenizer).filter((reference) => /^(?:file:|\.|\/)/.test(reference)),
];

/** Turns files, packages and data sets into a clean data set with a sealed test split. */
const plugin = defineStep({
  name: 'prepare',
  revision: 2,
  summary: 'Reads, checks, cleans, deduplicates and splits a data set without leakage.',
  params: paramsSchema,
  inputs: {
    files: { type: 'files', optional: true, summary: 'Files that an earlier step made.' },
  },
  outputs: {
    dataset: { type: 'dataset', summary: 'Training and validation rows, and the quality report.' },
    test: { type: 'test-split', summary: 'The sealed test split; only a test step opens it.' },
  },
  workspace: (params) => ({
    reads: references(params)
      .filter((reference) => isLocalReference(reference) && !reference.startsWith('files:'))
      .map((reference) => reference.replace(/^file:(?:\/\/)?/, '')),
  }),
  check(params) {
    const issues: Issue[] = [];
    const sum = params.split.validation + params.split.test;
    if (sum >= 1)
      issues.push({
        path: ['split'],
        code: 'SPLIT_TOO_LARGE',
        message: `"validation" and "test" take ${Math.round(sum * 100)} % of the rows, which leaves none for training.`,
        help: 'Write shares whose sum is well below 1, such as 0.1 and 0.1.',
      });
    return issues;
  },
  run: prepare,
});

export default plugin;
