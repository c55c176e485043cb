import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import type { StepContext } from '@joyul/plugin-api';
import { fetchFirst, fetchSource, SourceError } from '@joyul/sources';
import type { FetchedSource, FetchOptions } from '@joyul/sources';
import type { PrepareParams } from './params.ts';

/** What the step's files use of its context. */
export type Context = Pick<
  StepContext<PrepareParams>,
  'params' | 'projectDir' | 'downloadDir' | 'scratch' | 'seed' | 'signal' | 'emit'
> & { readonly inputs: { readonly files?: string | undefined } };

/** A param that is one value or a list, as a list. */
export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

function fetchOptions(context: Context): FetchOptions {
  let last = 0;
  return {
    downloadDir: context.downloadDir,
    projectDir: context.projectDir,
    signal: context.signal,
    onProgress: ({ name, doneBytes, totalBytes }) => {
      if (doneBytes - last < 500_000 && doneBytes !== totalBytes) return;
      last = doneBytes;
      const megabytes = (bytes: number): number => Math.round(bytes / 100_000) / 10;
      const total = totalBytes === undefined ? {} : { total: megabytes(totalBytes) };
      context.emit({
        type: 'progress',
        activity: 'fetching',
        done: megabytes(doneBytes),
        ...total,
        unit: 'MB',
        detail: name,
      });
    },
  };
}

/** The user can mend what a source says is wrong. */
function asFailure(error: unknown): unknown {
  if (!(error instanceof SourceError)) return error;
  return new StepFailure(`SOURCE_${error.code}`, error.message, { help: error.help, cause: error });
}

/** Brings a source of rows here; `files:PATH` lies in the input `files`. */
export async function fetchRows(reference: string, context: Context): Promise<FetchedSource> {
  try {
    if (!reference.startsWith('files:')) return await fetchSource(reference, fetchOptions(context));
    const { files } = context.inputs;
    if (files === undefined)
      throw new StepFailure(
        'NO_FILES',
        `"${reference}" names a file of the input "files", which is not wired.`,
        {
          help: 'Add inputs: { files: STEP.PORT }, or name a path in the project.',
        },
      );
    return { path: join(files, reference.slice('files:'.length)), reference, resolved: reference };
  } catch (error) {
    throw asFailure(error);
  }
}

/** Brings the tokenizer's model here, from the first source that can be had. */
export async function fetchModel(
  references: readonly string[],
  context: Context,
): Promise<Awaited<ReturnType<typeof fetchFirst>>> {
  try {
    return await fetchFirst(references, fetchOptions(context));
  } catch (error) {
    throw asFailure(error);
  }
}
