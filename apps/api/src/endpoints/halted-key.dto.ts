import { z } from 'zod';
import { listQuery } from '../http/list-query.js';

export const listHaltedKeysQuery = z.strictObject(listQuery);
