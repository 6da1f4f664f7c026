import { z } from 'zod';
import { listQuery } from '../http/list-query.js';

export const listHistoryQuery = z.strictObject(listQuery);
