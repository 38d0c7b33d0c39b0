// Command independent checks a tlog-proof that a Lucid bundle carries, with code that knows nothing of Lucid:
// transparency-dev/formats reads the proof and the signed checkpoint, transparency-dev/merkle checks inclusion.
//
//	independent TRUST.JSON LEAF TLOG-PROOF
//
// It prints who signed and exits 0; it exits 1 with the reason if anything does not verify.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	tlog "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// trust is the part of trust.json that any C2SP tool understands.
type trust struct {
	Origin    string   `json:"origin"`
	Log       string   `json:"log"`
	Witnesses []string `json:"witnesses"`
	Quorum    int      `json:"quorum"`
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: independent TRUST.JSON LEAF TLOG-PROOF")
		os.Exit(64)
	}
	if err := check(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(trustFile, leafFile, proofFile string) error {
	var policy trust
	if data, err := os.ReadFile(trustFile); err != nil {
		return err
	} else if err := json.Unmarshal(data, &policy); err != nil {
		return fmt.Errorf("trust policy: %w", err)
	}
	leaf, err := os.ReadFile(leafFile)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(proofFile)
	if err != nil {
		return err
	}
	var p tlog.TLogProof
	if err := p.Unmarshal(data); err != nil {
		return err
	}
	checkpoint, err := open(p.Checkpoint, policy)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	path := make([][]byte, len(p.Hashes))
	for i := range p.Hashes {
		path[i] = p.Hashes[i][:]
	}
	hash := rfc6962.DefaultHasher.HashLeaf(leaf)
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, checkpoint.Size, hash, path, checkpoint.Hash); err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	fmt.Printf("leaf %d of %d in %s\n", p.Index, checkpoint.Size, checkpoint.Origin)
	return nil
}

// open verifies the log's signature and counts the witnesses' cosignatures.
func open(data []byte, policy trust) (*log.Checkpoint, error) {
	logKey, err := note.NewVerifier(policy.Log)
	if err != nil {
		return nil, err
	}
	witnesses := make([]note.Verifier, len(policy.Witnesses))
	for i, vkey := range policy.Witnesses {
		if witnesses[i], err = fnote.NewVerifierForCosignatureV1(vkey); err != nil {
			return nil, err
		}
	}
	checkpoint, _, signed, err := log.ParseCheckpoint(data, policy.Origin, logKey, witnesses...)
	if err != nil {
		return nil, err
	}
	cosigned := 0
	for _, signature := range signed.Sigs {
		if signature.Name != logKey.Name() || signature.Hash != logKey.KeyHash() {
			fmt.Println("cosigned by", signature.Name)
			cosigned++
		}
	}
	if cosigned < policy.Quorum {
		return nil, fmt.Errorf("%d cosignatures, and the quorum is %d", cosigned, policy.Quorum)
	}
	return checkpoint, nil
}
