//! The packet rules of a sandbox, written as one nf_tables transaction: never a subprocess.
//!
//! In the words of `nft`, with the proxy on port 15001:
//! ```text
//! table ip hearth {
//!   chain inbound {                                   # or, without nft_tproxy: type nat hook output
//!     type filter hook prerouting priority mangle;
//!     ip daddr 127.0.0.0/8 return
//!     tcp dport 53 tproxy to :15001                   # or: redirect to :15001
//!     ip daddr 169.254.100.1 return
//!     meta l4proto tcp tproxy to :15001
//!     udp dport 53 tproxy to :53
//!   }
//!   chain outbound {
//!     type filter hook output priority filter;
//!     ip daddr 127.0.0.0/8 accept
//!     ip daddr 169.254.100.1 accept
//!     meta l4proto tcp accept
//!     udp dport 53 accept
//!     reject with icmp admin-prohibited               # so that other UDP fails at once, not by timeout
//!   }
//! }
//! ```
//! Expressions run in order over registers: load a field into register 1, stop unless it equals a value, act.

use super::SANDBOX_ADDRESS;
use super::netlink::{Attributes, Messages, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, Socket};
use std::io;

const TABLE: &str = "hearth";
const DNS_PORT: u16 = 53;

/// How a connection to anywhere is turned to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capture {
    /// The packet is handed to the proxy's socket as it is. No connection tracking.
    Tproxy,
    /// The destination is rewritten; the proxy asks connection tracking for the original.
    Redirect,
}

/// Loads the rules into the network namespace of this thread.
pub(super) fn load(capture: Capture, proxy_port: u16) -> io::Result<()> {
    Socket::netfilter()?.execute(&transaction(capture, proxy_port))
}

fn transaction(capture: Capture, proxy_port: u16) -> Messages {
    let mut batch = Messages::default();
    batch.message(BATCH_BEGIN, NLM_F_REQUEST, &BATCH_HEADER, |_| {});
    // Refusals of any message are always reported; one acknowledgement shows that the kernel read the batch.
    batch.message(NEW_TABLE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, &HEADER, |table| {
        table.name(NFTA_TABLE_NAME, TABLE);
    });
    let inbound = match capture {
        Capture::Tproxy => Chain { name: "inbound", kind: "filter", hook: HOOK_PREROUTING, priority: -150 },
        Capture::Redirect => Chain { name: "inbound", kind: "nat", hook: HOOK_OUTPUT, priority: -100 },
    };
    inbound.create(&mut batch);
    inbound.rule(&mut batch, |rule| rule.for_loopback().verdict(RETURN));
    inbound.rule(&mut batch, |rule| rule.tcp().destination_port(DNS_PORT).capture(capture, proxy_port));
    inbound.rule(&mut batch, |rule| rule.for_sandbox().verdict(RETURN));
    inbound.rule(&mut batch, |rule| rule.tcp().capture(capture, proxy_port));
    inbound.rule(&mut batch, |rule| rule.udp().destination_port(DNS_PORT).capture(capture, DNS_PORT));

    let outbound = Chain { name: "outbound", kind: "filter", hook: HOOK_OUTPUT, priority: 0 };
    outbound.create(&mut batch);
    outbound.rule(&mut batch, |rule| rule.for_loopback().verdict(ACCEPT));
    outbound.rule(&mut batch, |rule| rule.for_sandbox().verdict(ACCEPT));
    outbound.rule(&mut batch, |rule| rule.tcp().verdict(ACCEPT));
    outbound.rule(&mut batch, |rule| rule.udp().destination_port(DNS_PORT).verdict(ACCEPT));
    outbound.rule(&mut batch, |rule| rule.reject());
    batch.message(BATCH_END, NLM_F_REQUEST, &BATCH_HEADER, |_| {});
    batch
}

struct Chain {
    name: &'static str,
    kind: &'static str,
    hook: u32,
    priority: i32,
}

impl Chain {
    fn create(&self, batch: &mut Messages) {
        batch.message(NEW_CHAIN, NLM_F_REQUEST | NLM_F_CREATE, &HEADER, |chain| {
            chain.name(NFTA_CHAIN_TABLE, TABLE).name(NFTA_CHAIN_NAME, self.name);
            chain.nest(NFTA_CHAIN_HOOK, |hook| {
                hook.be32(NFTA_HOOK_HOOKNUM, self.hook);
                hook.bytes(NFTA_HOOK_PRIORITY, &self.priority.to_be_bytes());
            });
            chain.name(NFTA_CHAIN_TYPE, self.kind);
        });
    }

    fn rule(&self, batch: &mut Messages, write: impl for<'a, 'b> FnOnce(Rule<'a, 'b>) -> Rule<'a, 'b>) {
        let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND;
        batch.message(NEW_RULE, flags, &HEADER, |rule| {
            rule.name(NFTA_RULE_TABLE, TABLE).name(NFTA_RULE_CHAIN, self.name);
            rule.nest(NFTA_RULE_EXPRESSIONS, |expressions| {
                write(Rule(expressions));
            });
        });
    }
}

/// Writes the expressions of one rule.
struct Rule<'a, 'b>(&'a mut Attributes<'b>);

impl Rule<'_, '_> {
    fn for_loopback(self) -> Self {
        // The first byte of the destination decides 127.0.0.0/8.
        self.payload(NETWORK_HEADER, IPV4_DESTINATION, 1).equals(&[127])
    }

    fn for_sandbox(self) -> Self {
        self.payload(NETWORK_HEADER, IPV4_DESTINATION, 4).equals(&SANDBOX_ADDRESS.octets())
    }

    fn tcp(self) -> Self {
        self.protocol(6)
    }

    fn udp(self) -> Self {
        self.protocol(17)
    }

    fn protocol(self, number: u8) -> Self {
        self.expression("meta", |meta| {
            meta.be32(NFTA_META_DREG, REGISTER_1).be32(NFTA_META_KEY, META_L4PROTO);
        })
        .equals(&[number])
    }

    fn destination_port(self, port: u16) -> Self {
        self.payload(TRANSPORT_HEADER, PORT_DESTINATION, 2).equals(&port.to_be_bytes())
    }

    fn payload(self, base: u32, offset: u32, len: u32) -> Self {
        self.expression("payload", |payload| {
            payload.be32(NFTA_PAYLOAD_DREG, REGISTER_1).be32(NFTA_PAYLOAD_BASE, base);
            payload.be32(NFTA_PAYLOAD_OFFSET, offset).be32(NFTA_PAYLOAD_LEN, len);
        })
    }

    fn equals(self, value: &[u8]) -> Self {
        self.expression("cmp", |cmp| {
            cmp.be32(NFTA_CMP_SREG, REGISTER_1).be32(NFTA_CMP_OP, CMP_EQ);
            cmp.nest(NFTA_CMP_DATA, |data| {
                data.bytes(NFTA_DATA_VALUE, value);
            });
        })
    }

    fn capture(self, capture: Capture, port: u16) -> Self {
        let rule = self.expression("immediate", |immediate| {
            immediate.be32(NFTA_IMMEDIATE_DREG, REGISTER_1);
            immediate.nest(NFTA_IMMEDIATE_DATA, |data| {
                data.bytes(NFTA_DATA_VALUE, &port.to_be_bytes());
            });
        });
        match capture {
            Capture::Tproxy => rule.expression("tproxy", |tproxy| {
                tproxy.be32(NFTA_TPROXY_FAMILY, u32::from(NFPROTO_IPV4));
                tproxy.be32(NFTA_TPROXY_REG_PORT, REGISTER_1);
            }),
            Capture::Redirect => rule.expression("redir", |redir| {
                redir.be32(NFTA_REDIR_REG_PROTO_MIN, REGISTER_1);
                redir.be32(NFTA_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
            }),
        }
    }

    fn verdict(self, code: i32) -> Self {
        self.expression("immediate", |immediate| {
            immediate.be32(NFTA_IMMEDIATE_DREG, REGISTER_VERDICT);
            immediate.nest(NFTA_IMMEDIATE_DATA, |data| {
                data.nest(NFTA_DATA_VERDICT, |verdict| {
                    verdict.bytes(NFTA_VERDICT_CODE, &code.to_be_bytes());
                });
            });
        })
    }

    fn reject(self) -> Self {
        self.expression("reject", |reject| {
            reject.be32(NFTA_REJECT_TYPE, REJECT_ICMP_UNREACHABLE);
            reject.bytes(NFTA_REJECT_ICMP_CODE, &[ICMP_ADMIN_PROHIBITED]);
        })
    }

    fn expression(self, name: &str, data: impl FnOnce(&mut Attributes<'_>)) -> Self {
        self.0.nest(NFTA_LIST_ELEM, |element| {
            element.name(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, data);
        });
        self
    }
}

// Numbers from the kernel's interface headers: linux/netfilter/nfnetlink.h and linux/netfilter/nf_tables.h.
const NFPROTO_IPV4: u8 = 2;
const SUBSYSTEM_NFTABLES: u16 = 10;
/// `struct nfgenmsg`: family, version 0, resource id 0.
const HEADER: [u8; 4] = [NFPROTO_IPV4, 0, 0, 0];
/// The same for the marks around a batch, whose resource id names the subsystem, big-endian.
const BATCH_HEADER: [u8; 4] = [0, 0, 0, 10];
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = SUBSYSTEM_NFTABLES << 8;
const NEW_CHAIN: u16 = SUBSYSTEM_NFTABLES << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM_NFTABLES << 8 | 6;

const HOOK_PREROUTING: u32 = 0;
const HOOK_OUTPUT: u32 = 3;
const ACCEPT: i32 = 1;
const RETURN: i32 = -5;
const REGISTER_VERDICT: u32 = 0;
const REGISTER_1: u32 = 1;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
const IPV4_DESTINATION: u32 = 16;
const PORT_DESTINATION: u32 = 2;
const META_L4PROTO: u32 = 16;
const CMP_EQ: u32 = 0;
const NF_NAT_RANGE_PROTO_SPECIFIED: u32 = 2;
const REJECT_ICMP_UNREACHABLE: u32 = 0;
const ICMP_ADMIN_PROHIBITED: u8 = 13;

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;
const NFTA_META_DREG: u16 = 1;
const NFTA_META_KEY: u16 = 2;
const NFTA_CMP_SREG: u16 = 1;
const NFTA_CMP_OP: u16 = 2;
const NFTA_CMP_DATA: u16 = 3;
const NFTA_PAYLOAD_DREG: u16 = 1;
const NFTA_PAYLOAD_BASE: u16 = 2;
const NFTA_PAYLOAD_OFFSET: u16 = 3;
const NFTA_PAYLOAD_LEN: u16 = 4;
const NFTA_IMMEDIATE_DREG: u16 = 1;
const NFTA_IMMEDIATE_DATA: u16 = 2;
const NFTA_TPROXY_FAMILY: u16 = 1;
const NFTA_TPROXY_REG_PORT: u16 = 3;
const NFTA_REDIR_REG_PROTO_MIN: u16 = 1;
const NFTA_REDIR_FLAGS: u16 = 3;
const NFTA_REJECT_TYPE: u16 = 1;
const NFTA_REJECT_ICMP_CODE: u16 = 2;
