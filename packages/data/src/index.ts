export { cleanRows, cleanText, duplicateKey, idOf } from './clean.ts';
export type { CleanOptions, CleanResult, DropReason } from './clean.ts';
export { digestRows, readDataset, readRows, readTestSplit, writeDataset, writeTestSplit } from './dataset.ts';
export type { Dataset, DatasetHeader, DatasetSplit } from './dataset.ts';
export { findLeaks, groupRows } from './groups.ts';
export type { Leak, RowGroups } from './groups.ts';
export { ChatTemplateError, openChatTemplate } from './language/chat-template.ts';
export type { ChatTemplate } from './language/chat-template.ts';
export { ignoredLabel, makeLanguageEncoder } from './language/encode-language.ts';
export type { EncodedLanguage, LanguageEncoder } from './language/encode-language.ts';
export { countLabels, findLabelTwins, findUnlearnableLabels } from './labels.ts';
export type { LabelGap, LabelTwins } from './labels.ts';
export { groupNearDuplicates } from './near-duplicates.ts';
export { checkQuality } from './quality/checks.ts';
export { formatQuality, makeFinding, summarizeLengths } from './quality/report.ts';
export type { LengthSummary, QualityFinding, QualityPlace, QualityReport } from './quality/report.ts';
export { detectShape, formatConversation, readConversation } from './readers/chat.ts';
export { parseCsv } from './readers/csv.ts';
export { parseEmail } from './readers/email.ts';
export { stripHtml } from './readers/html.ts';
export { readSource } from './readers/read-source.ts';
export type { ReadOptions, SourceFormat, SourceResult } from './readers/read-source.ts';
export { removeRepeatedLines } from './repeated-lines.ts';
export type { RepeatedLines } from './repeated-lines.ts';
export type {
  ChatMessage,
  FieldNames,
  RawRow,
  ReadResult,
  Row,
  RowPlace,
  RowProblem,
  RowShape,
} from './row.ts';
export { sampleIndices } from './sample.ts';
export type { Limit } from './sample.ts';
export { askedOf, readSealedKeys, sealedKeyOf, writeSealedKeys } from './sealed-keys.ts';
export { makeRandom, shuffle, splitItems } from './split.ts';
export type { SplitItem, SplitName, SplitShares } from './split.ts';
export { openTokenizer } from './tokenizer.ts';
export type { EncodedText, Tokenizer } from './tokenizer.ts';
