export { drawAdapter, drawLanguageAdapter, measureMerge } from './adapters.ts';
export type { MergeCheck } from './adapters.ts';
export { chooseBuckets, encodeRows, makeBatches, makeEpoch, padBatch } from './batches.ts';
export type { Batch, BatchInputs, Example } from './batches.ts';
export { loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
export type { Checkpoint, Evaluation, EvaluationPoint, TrainingState } from './checkpoint.ts';
export { entryNames, makeClassifierProgram } from './classifier-program.ts';
export type { ClassifierOptions, ClassifierUpdate } from './classifier-program.ts';
export { probeEncoder } from './encoder/probe-encoder.ts';
export type { ProbeScore } from './encoder/probe-encoder.ts';
export { trainEncoder } from './encoder/train-encoder.ts';
export type {
  EncoderEvaluation,
  EncoderTrainOptions,
  EncoderTrainResult,
  Objective,
} from './encoder/encoder-options.ts';
export { encodeFeatures } from './trunk/features.ts';
export type { FeatureOptions, Features } from './trunk/features.ts';
export { bertTrunk, llamaTrunk } from './trunk/trunk-model.ts';
export type { TrunkModel, TrunkProgram } from './trunk/trunk-model.ts';
export { TrunkStates, openStates } from './trunk/trunk-states.ts';
export type { StateOptions, StateReader, TrunkReport } from './trunk/trunk-states.ts';
export { describeTrunk } from './trunk/describe-trunk.ts';
export { Workshop } from './workshop.ts';
export { defaultHparams, readHparams, readStrategy, writeHparams, writeStrategy } from './formats.ts';
export type {
  Hparams,
  HparamsFile,
  Method,
  PromptSpace,
  Strategy,
  StrategyAlternative,
  Trial,
} from './formats.ts';
export { answerQuestions, questionsOf } from './language/answer-rows.ts';
export type { Answer, AnswerOptions, Question } from './language/answer-rows.ts';
export { gradeAnswers } from './language/grade-answers.ts';
export { keepAnswers } from './language/answer-cache.ts';
export type { AnswerCacheOptions } from './language/answer-cache.ts';
export { planRounds, searchPrompts } from './language/prompt-search.ts';
export type {
  PromptRound,
  PromptSearchOptions,
  PromptSearchResult,
  PromptTrial,
} from './language/prompt-search.ts';
export { openAnswerer, openEndpointAnswerer } from './language/answerer.ts';
export type { Answerer, AnswererOptions } from './language/answerer.ts';
export { ChatEndpoint } from './language/chat-endpoint.ts';
export type { ChatEndpointOptions, ChatReply } from './language/chat-endpoint.ts';
export { makeAsk, promptRows, readPrompt, writePrompt } from './language/prompt.ts';
export type { Ask, Endpoint, Prompt, PromptExample, PromptSettings } from './language/prompt.ts';
export { openGenerator } from './language/generator.ts';
export type { GenerateOptions, Generation, Generator, GeneratorOptions } from './language/generator.ts';
export { openLiveGenerator } from './language/live-generator.ts';
export type { LiveGenerator, LiveOptions } from './language/live-generator.ts';
export type { Sampling } from './language/choose-token.ts';
export { openLanguageModel } from './language/open-language-model.ts';
export type { LanguageModel } from './language/open-language-model.ts';
export { encodeLanguageRows } from './language/encode-language-rows.ts';
export type { LanguageRows } from './language/encode-language-rows.ts';
export { measureRows } from './language/measure-rows.ts';
export type { RowLoss } from './language/measure-rows.ts';
export { meanLoss, measureLanguage, measureParts } from './language/measure-language.ts';
export type { PartLoss } from './language/measure-language.ts';
export { answerByFeatures } from './language/answer-by-head.ts';
export type { HeadTask } from './language/answer-by-head.ts';
export { measurePrompted } from './language/measure-prompted.ts';
export type { MeasuredRows } from './language/measure-prompted.ts';
export { languageEntries, makeLanguageProgram } from './language/language-program.ts';
export type { LanguageOptions, LanguageShape, LanguageUpdate } from './language/language-program.ts';
export { padLanguageBatch } from './language/language-batch.ts';
export type { LanguageBatch, LanguageExample } from './language/language-batch.ts';
export { layOut } from './language/batch-layout.ts';
export type { BatchLayout, LayoutOptions } from './language/batch-layout.ts';
export { packRows } from './language/pack-rows.ts';
export type {
  LanguageEvaluation,
  LanguageTrainOptions,
  LanguageTrainResult,
  LanguageTrainingStart,
  SamplePlan,
} from './language/language-options.ts';
export { trainLanguageModel } from './language/train-language-model.ts';
export { valuesOf } from './model-values.ts';
export { openEncoder } from './open-encoder.ts';
export { openStepModel } from './open-step-model.ts';
export { describeMemory, requireMemory } from './memory-plan.ts';
export type { MemoryAlternative } from './memory-plan.ts';
export { openPredictor, softmaxOf } from './predictor.ts';
export type { Prediction, Predictor, PredictorOptions } from './predictor.ts';
export { readUnlabelled } from './read-unlabelled.ts';
export { findPrefixObstacle, scheduleFactor } from './schedule.ts';
export type { Schedule } from './schedule.ts';
export { optimizerOf, rateShareOf, slotsOf } from './update-rule.ts';
export { fitHead } from './fit-head.ts';
export type { FitHeadOptions } from './fit-head.ts';
export { trainClassifier } from './train-classifier.ts';
export { balanceClasses, findCut } from './training-plan.ts';
export { TrainingError } from './train-options.ts';
export type { LoopOptions, LoopStart, TrainOptions, TrainResult, TrainingStart } from './train-options.ts';
export { digestTraining, findTrainingTime, keepTrainingTime } from './training-time.ts';
export { proveTrainability, proveUnchanged } from './trainability.ts';
export type { EffectiveChange, TensorProof, Trainability } from './trainability.ts';
