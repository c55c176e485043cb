import { expect, test } from 'vitest';
import { prepare } from './rig.ts';

const rows = 'text,label\ngood day,yes\nbad day,no\nfine day,yes\npoor day,no\n';

test('a tokenizer that is not there or cannot be converted is the failure of the step', async () => {
  const failureOf = (files: Readonly<Record<string, string>>): Promise<string> =>
    prepare({ 'rows.csv': rows, ...files }, { source: 'rows.csv', tokenizer: './model' }).then(
      () => 'nothing',
      String,
    );
  expect(await failureOf({ 'model/notes.txt': '' })).toContain(
    'holds no model folder with config.json, and no GGUF file.',
  );
  expect(await failureOf({ 'model/config.json': '{}', 'model/model.safetensors': '' })).toBe(
    'StepFailure: The model has no tokenizer.json.',
  );
  expect(await failureOf({ 'model/tiny.gguf': 'PK' })).toBe(
    'StepFailure: tiny.gguf: the file ends within its header; it was not downloaded whole.',
  );
});
