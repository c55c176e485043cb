import { createHash } from 'node:crypto';
import { StepFailure } from '@joyul/plugin-api';
import type { StepContext } from '@joyul/plugin-api';
import { makeRandom, shuffle } from '@joyul/data';
import type { Row } from '@joyul/data';
import type { ModelFolder } from '@joyul/models';
import { SourceError, digestFile, fetchFirst, findModelFolder } from '@joyul/sources';
import type { SelectParams } from './index.ts';

/** One of the models to choose from. */
export type Candidate = SelectParams['candidates'][number];
/** What the step's files use of its context. */
export type Context = StepContext<
  SelectParams,
  { readonly dataset: { readonly type: 'dataset' } },
  { readonly model: { readonly type: 'base-model' } }
>;

/** A sample with each label in proportion, the same for the same seed. */
export function sampleRows(rows: readonly Row[], count: number, seed: number): readonly Row[] {
  if (rows.length <= count) return rows;
  const byLabel = Map.groupBy(rows, (row) => row.label ?? '');
  const random = makeRandom(seed);
  return [...byLabel.keys()].sort().flatMap((label) => {
    const own = byLabel.get(label) ?? [];
    return shuffle(own, random).slice(0, Math.max(2, Math.round((count * own.length) / rows.length)));
  });
}

/** The digest of a file with weights; of several, the digest of theirs, one a line. */
async function digestWeights(files: readonly string[]): Promise<string> {
  const digests: string[] = [];
  for (const file of files) digests.push(await digestFile(file));
  const [only = ''] = digests;
  return digests.length === 1 ? only : createHash('sha256').update(digests.join('\n')).digest('hex');
}

/** A candidate on this machine, and what its files are. */
export interface Fetched<Opened> {
  readonly opened: Opened;
  readonly resolved: string;
  readonly sha256: string;
}

/** Brings a candidate here and opens it; weights that are not those that the pipeline names are refused. */
export async function fetchModel<Opened>(
  candidate: Candidate,
  context: Context,
  open: (folder: string) => Promise<Opened & { readonly model: ModelFolder }>,
): Promise<Fetched<Opened & { readonly model: ModelFolder }>> {
  const { downloadDir, projectDir, signal, emit } = context;
  try {
    const source = await fetchFirst([candidate.source].flat(), {
      downloadDir,
      projectDir,
      signal,
      onProgress: ({ name, doneBytes, totalBytes }) => {
        emit({
          type: 'progress',
          activity: `fetching ${name}`,
          done: Math.round(doneBytes / 1e6),
          unit: 'MB',
          ...(totalBytes === undefined ? {} : { total: Math.round(totalBytes / 1e6) }),
        });
      },
    });
    for (const line of source.passedOver)
      emit({ type: 'log', level: 'info', message: `Passed over ${line}` });
    const folder = await findModelFolder(source.path);
    if (folder === undefined)
      throw new StepFailure(
        'NOT_A_MODEL',
        `${source.resolved} holds no config.json beside a .safetensors file, and no .gguf file.`,
        { help: 'Name a package that carries a Hugging Face model.' },
      );
    const opened = await open(folder);
    const sha256 = await digestWeights(opened.model.files);
    if (candidate.sha256 !== undefined && candidate.sha256 !== sha256) {
      throw new StepFailure(
        'WRONG_WEIGHTS',
        `The weights of ${candidate.name} have the sha256 ${sha256}, not ${candidate.sha256}.`,
        { help: 'Check the source; if the new weights are right, write their digest.' },
      );
    }
    return { opened, resolved: source.resolved, sha256 };
  } catch (error) {
    if (error instanceof SourceError)
      throw new StepFailure('SOURCE', `${candidate.name}: ${error.message}`, {
        help: error.help,
        cause: error,
      });
    throw error;
  }
}
