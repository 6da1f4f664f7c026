/** The routes of transformations, for the OpenAPI document. */
import { pageOf } from '../http/page-answer.js';
import type { Operation } from '../openapi/operation.js';
import {
  transformationAnswer,
  transformationSummary,
  transformationTestAnswer,
  transformationVersion,
  transformationVersionSummary,
} from './transformation-answers.js';
import {
  createTransformationBody,
  listTransformationsQuery,
  listVersionsQuery,
  patchTransformationBody,
  testTransformationBody,
} from './transformation.dto.js';
import { transformationTag } from './transformations.js';

const etag: Operation['etag'] = ({ version, name }) =>
  transformationTag({ version: Number(version), name: String(name) });

export const transformationOperations = {
  create: {
    id: 'createTransformation',
    summary: 'Make a transformation',
    body: createTransformationBody,
    answer: transformationAnswer,
    etag,
    problems: ['unknown-tenant', 'overloaded'],
  },
  list: {
    id: 'listTransformations',
    summary: 'Transformations, oldest first',
    query: listTransformationsQuery,
    answer: pageOf(transformationSummary),
  },
  test: {
    id: 'testTransformation',
    summary: 'Run code without sending anything',
    description: 'Whatever the code does is in the answer.',
    body: testTransformationBody,
    example: {
      code: 'function handler(webhook) { return webhook; }',
      payload: { data: { title: 'Buy milk' } },
      eventType: 'task.updated',
    },
    answer: transformationTestAnswer,
    problems: ['not-found', 'overloaded'],
  },
  get: { id: 'getTransformation', summary: 'One transformation with its code', answer: transformationAnswer, etag },
  patch: {
    id: 'patchTransformation',
    ifMatch: true,
    summary: 'Change a transformation',
    description: 'JSON merge patch (RFC 7396). Other code is a new version.',
    body: patchTransformationBody,
    answer: transformationAnswer,
    etag,
    problems: ['overloaded'],
  },
  delete: {
    id: 'deleteTransformation',
    ifMatch: true,
    summary: 'Delete a transformation that no endpoint names',
    problems: ['transformation-in-use'],
  },
  versions: {
    id: 'listTransformationVersions',
    summary: 'Versions of its code, newest first',
    query: listVersionsQuery,
    answer: pageOf(transformationVersionSummary),
  },
  version: { id: 'getTransformationVersion', summary: 'One version of its code', answer: transformationVersion },
  restore: {
    id: 'restoreTransformationVersion',
    summary: 'Bring the code of a version back, as a new one',
    answer: transformationAnswer,
    etag,
  },
} as const satisfies Record<string, Operation>;
