export { checkGrader } from './check-grader.ts';
export type { GraderIssue } from './check-grader.ts';
export { graderSchema } from './grader-spec.ts';
export type { GraderSpec } from './grader-spec.ts';
export { makeGrader, nameGrader } from './make-grader.ts';
export type { Grade, Grader } from './make-grader.ts';
export type { GradedAnswer } from './template.ts';
