export { areShortAnswers, scoreAnswer } from './answers.ts';
export type { AnswerScores } from './answers.ts';
export { fitBagOfWords } from './bag-of-words.ts';
export type { BagOfWords } from './bag-of-words.ts';
export { calibrationError, logLoss, measureClassification } from './classification.ts';
export type { ClassMetrics, ClassificationMetrics } from './classification.ts';
export { formatP, percent, sayP } from './format.ts';
export { measureAlignment, measureUniformity } from './embeddings.ts';
export {
  bootstrapInterval,
  holmAdjust,
  mcNemarTest,
  smallestDetectable,
  wilsonInterval,
} from './intervals.ts';
export type { Interval, McNemar } from './intervals.ts';
export { denseMatrix, fitLogistic, predictLinear, sparseMatrix } from './logistic.ts';
export type { LinearClassifier, Matrix } from './logistic.ts';
export { crossValidateProbe, fitProbe, foldProbe, nearestNeighbours } from './probes.ts';
export type { Probe } from './probes.ts';
export { mean } from './mean.ts';
export { answerMetricNames, chooseAnswerMetric, comparePaired, signFlipTest } from './paired.ts';
export type { AnswerMetric, PairedComparison } from './paired.ts';
export { SimilarTexts } from './similar-texts.ts';
