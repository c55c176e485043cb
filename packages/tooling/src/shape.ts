/** Checks that code keeps its shape: short files and functions, and a reason beside every `as`. */
import { Visitor } from 'oxc-parser';
import type { SourceFile } from './source-files.ts';
import { lineAt } from './source-files.ts';

/** Lines that a source file may have. */
const maxFileLines = 400;
/** Lines that a function may have, without those of the functions inside it. */
const maxFunctionLines = 60;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** True for sources; tests and tables of rules may be long. */
const isLimited = (path: string): boolean => /^packages\/[^/]+\/(?:src|bin)\//.test(path);

/** Functions whose own lines are too many: a closure's inner functions are counted by themselves. */
function checkFunctions(file: SourceFile): readonly string[] {
  const problems: string[] = [];
  const innerLines: number[] = [];
  const enter = (): void => void innerLines.push(0);
  const leave = (node: Span): void => {
    const start = lineAt(file.text, node.start);
    const total = lineAt(file.text, node.end) - start + 1;
    const own = total - (innerLines.pop() ?? 0);
    if (own > maxFunctionLines)
      problems.push(`${file.path}:${start}: a function of ${own} lines; ${maxFunctionLines} are the limit`);
    // The outer function keeps one line for each function in it.
    innerLines.push((innerLines.pop() ?? 0) + total - 1);
  };
  new Visitor({
    FunctionDeclaration: enter,
    FunctionExpression: enter,
    ArrowFunctionExpression: enter,
    'FunctionDeclaration:exit': leave,
    'FunctionExpression:exit': leave,
    'ArrowFunctionExpression:exit': leave,
  }).visit(file.program);
  return problems;
}

/** Casts that say nothing about why they are right. */
function checkCasts(file: SourceFile): readonly string[] {
  const problems: string[] = [];
  const lines = file.text.split('\n');
  new Visitor({
    TSAsExpression(node) {
      if (file.text.slice(node.start, node.end).endsWith('as const')) return;
      const [first, last] = [lineAt(file.text, node.start), lineAt(file.text, node.end)];
      // The reason stands on one of its lines, or on one of the two lines above.
      const near = lines.slice(Math.max(0, first - 3), last + 1);
      if (!near.some((line) => line.includes('//') || line.trimStart().startsWith('*')))
        problems.push(`${file.path}:${first}: \`as\` without a comment that says why it is right`);
    },
  }).visit(file.program);
  return problems;
}

/** Every place where a source is longer than it may be or casts without a reason. */
export function findShapeProblems(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => isLimited(file.path))
    .flatMap((file) => {
      const count = file.text.split('\n').length - 1;
      const long =
        count > maxFileLines ? [`${file.path}: ${count} lines; ${maxFileLines} are the limit`] : [];
      return [...long, ...checkFunctions(file), ...checkCasts(file)];
    });
}
