import type { JsonObject } from '../row.ts';
import type { FieldProblem } from './field-problem.ts';
import { describeValue, isRecord, parseNested } from './field-problem.ts';

/** A value that was read, or what is wrong with it. */
export type ToolsResult =
  | { readonly value: readonly JsonObject[]; readonly problem?: undefined }
  | { readonly value?: undefined; readonly problem: FieldProblem };

/** A list of objects, which tables without nested values hold as JSON. */
function readObjects(given: unknown, field: string): ToolsResult {
  const list = parseNested(given);
  if (!Array.isArray(list))
    return { problem: { field, message: `expected a list, but is ${describeValue(list)}.` } };
  const value: JsonObject[] = [];
  for (const [index, each] of list.entries()) {
    const item = parseNested(each);
    if (!isRecord(item))
      return {
        problem: {
          field: `${field}/${index}`,
          message: `expected an object, but is ${describeValue(item)}.`,
        },
      };
    value.push(item);
  }
  return { value };
}

/** The functions that a row offers, in OpenAI's form; a bare function is put into it. */
export function readTools(given: unknown, field: string): ToolsResult {
  const result = readObjects(given, field);
  if (result.value === undefined) return result;
  const value = result.value.map((tool) =>
    isRecord(tool['function']) ? tool : { type: 'function', function: tool },
  );
  for (const [index, tool] of value.entries()) {
    const { name } = tool['function'] as Record<string, unknown>; // Checked or made above.
    if (typeof name !== 'string')
      return {
        problem: {
          field: `${field}/${index}/function/name`,
          message: `expected the name of a function, but is ${describeValue(name)}.`,
        },
      };
  }
  return { value };
}

/**
 * The functions that a turn calls. OpenAI writes their arguments as JSON in a string; chat templates write objects, and
 * would quote a string once more.
 */
export function readToolCalls(given: unknown, field: string): ToolsResult {
  const result = readObjects(given, field);
  if (result.value === undefined) return result;
  const value: JsonObject[] = [];
  for (const [index, call] of result.value.entries()) {
    const inner = isRecord(call['function']) ? call['function'] : call;
    if (typeof inner['name'] !== 'string')
      return {
        problem: {
          field: `${field}/${index}/function/name`,
          message: `expected the name of a function, but is ${describeValue(inner['name'])}.`,
        },
      };
    const parsed = { ...inner, arguments: parseNested(inner['arguments'] ?? {}) };
    value.push(inner === call ? { type: 'function', function: parsed } : { ...call, function: parsed });
  }
  return { value };
}
