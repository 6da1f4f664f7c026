import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { HttpSender } from '#libs/http-delivery';
import { VerifyDue } from './verify-due.js';

export const VERIFICATION_SENDER = Symbol('VerificationSender');

/** Starts what runs beside the requests, and ends it: what is on its way is given up, and tried by another process. */
@Injectable()
export class VerificationLife implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(VerifyDue) private readonly due: VerifyDue,
    @Inject(VERIFICATION_SENDER) private readonly sender: HttpSender,
  ) {}

  onApplicationBootstrap(): void {
    this.due.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    const stopped = this.due.stop();
    await this.sender.close();
    await stopped;
  }
}
