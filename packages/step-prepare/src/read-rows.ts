import type { RawRow, ReadOptions, RowProblem, RowShape } from '@joyul/data';
import { readSource } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import type { PrepareParams } from './params.ts';
import type { Context } from './references.ts';
import { fetchRows } from './references.ts';

/** Everything that the sources hold. */
export interface ReadRows {
  readonly rows: readonly RawRow[];
  /** Rows that could not be read and were left out. */
  readonly skipped: readonly RowProblem[];
  /** As resolved, with versions. */
  readonly sources: readonly string[];
  readonly isEmail: boolean;
  readonly shape?: RowShape;
}

const shapes: Readonly<Record<string, RowShape>> = {
  classification: 'classification',
  text: 'text',
  chat: 'chat',
};
const containers: Readonly<Record<string, NonNullable<ReadOptions['format']>>> = {
  email: 'email',
  csv: 'csv',
  jsonl: 'jsonl',
  json: 'json',
};

function readOptions(params: PrepareParams, context: Context): ReadOptions {
  const { text, label, id, group, split } = params.fields;
  const shape = shapes[params.format];
  return {
    format: containers[params.format] ?? 'auto',
    ...(shape === undefined || shape === 'chat' ? {} : { shape }),
    ...(params.labels === undefined ? {} : { folders: params.labels }),
    fields: {
      ...(text === undefined ? {} : { text }),
      ...(label === undefined ? {} : { label }),
      ...(id === undefined ? {} : { id }),
      ...(group === undefined ? {} : { group }),
      ...(split === undefined ? {} : { split }),
    },
    signal: context.signal,
    onProgress: (done, total) => {
      context.emit({ type: 'progress', activity: 'reading', done, total, unit: 'files' });
    },
  };
}

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

/** Fetches and reads all sources; every problem of all of them is told at once. */
export async function readAll(references: readonly string[], context: Context): Promise<ReadRows> {
  const { params, emit } = context;
  const rows: RawRow[] = [];
  const problems: RowProblem[] = [];
  const sources: string[] = [];
  let shape: RowShape | undefined;
  for (const reference of references) {
    const source = await fetchRows(reference, context);
    const result = await readSource(source.path, reference, readOptions(params, context));
    rows.push(...result.rows);
    problems.push(...result.problems);
    sources.push(source.resolved);
    shape ??= result.shape;
    if (result.ignored.length > 0)
      emit({
        type: 'log',
        level: 'info',
        message: `${reference}: left out ${plural(result.ignored.length, 'file')} that hold no rows, such as ${result.ignored[0] ?? ''}.`,
      });
  }
  if (problems.length > 0 && (params.on_error === 'fail' || rows.length === 0)) {
    throw new StepFailure(
      'ROW_MALFORMED',
      `${plural(problems.length, 'problem')} in ${references.join(', ')}.`,
      {
        problems,
        help:
          rows.length === 0
            ? 'Look at the first problem.'
            : 'Mend the rows, or set on_error: skip to leave them out.',
      },
    );
  }
  return {
    rows,
    skipped: problems,
    sources,
    isEmail: params.format === 'email' || rows.some((row) => row.group?.startsWith('subject:') === true),
    ...(shape === undefined ? {} : { shape }),
  };
}
