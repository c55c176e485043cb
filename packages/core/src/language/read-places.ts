import type { JsonObject } from '@joyul/plugin-api';
import type { SourceRange } from '../diagnostics/source.ts';
import type { StepSite } from './step-site.ts';

/** The keys that lead to a text; of a text that holds it, such as `file:data.csv`, where none is equal. */
function findPath(
  value: unknown,
  isMeant: (text: string) => boolean,
): readonly (string | number)[] | undefined {
  if (typeof value === 'string') return isMeant(value) ? [] : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  const isList = Array.isArray(value);
  for (const [key, item] of Object.entries(value)) {
    const inner = findPath(item, isMeant);
    if (inner !== undefined) return [isList ? Number(key) : key, ...inner];
  }
  return undefined;
}

/** Where the files that a step reads stand in its `with`, by path; the step's own place where they do not. */
export function findReadPlaces(
  reads: readonly string[],
  params: JsonObject,
  { pipeline, path, spec, range }: StepSite,
): Readonly<Record<string, SourceRange>> {
  return Object.fromEntries(
    reads.map((read) => {
      const found =
        findPath(params, (text) => text === read) ?? findPath(params, (text) => text.includes(read));
      // A default of the plugin stands in no file.
      const isWritten = found !== undefined && Object.hasOwn(spec.with ?? {}, String(found[0]));
      return [read, isWritten ? pipeline.document.rangeOf([...path, 'with', ...found]) : range];
    }),
  );
}
